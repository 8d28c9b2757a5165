#include "processor_heads.hpp"
#include "processor_task.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/model/cross_autoencoder.hpp>

namespace pretrain {
namespace {

/// Models whose decoder asks what is visible.
struct cross_decoding {
  template <mae::model_config config, class Backend, class... Heads>
  using model = mae::cross_autoencoder<config, chosen_mask, Backend, chosen_objective, Heads...>;
  template <class Backend, class... Heads>
  using sized_model =
      mae::sized_cross_autoencoder<chosen_mask, Backend, chosen_objective, Heads...>;
};

}  // namespace

std::unique_ptr<training_task> make_cross_task(task_parts const& parts) {
  return make_processor_task<mae::eigen_backend<float>, true, cross_decoding>(parts);
}

}  // namespace pretrain
