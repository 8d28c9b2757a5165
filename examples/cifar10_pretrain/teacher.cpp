#include "teacher.hpp"

#include "chosen_objective.hpp"
#include "configs.hpp"
#include "open_perceptual.hpp"
#include "training_task.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/error.hpp>
#include <mae/head/perceptual.hpp>
#include <mae/interop/open_pretrained.hpp>
#include <mae/interop/pretrained.hpp>
#include <mae/interop/pretrained_model.hpp>
#include <mae/model/frozen_teacher.hpp>
#include <mae/model/moving_teacher.hpp>
#include <mae/model/perceptual_encoder.hpp>

#include <memory>
#include <string>

namespace pretrain {
namespace {

template <class Backend>
std::shared_ptr<mae::frozen_blocks<Backend> const> open_blocks(task_parts const& parts,
                                                               Backend const& backend) {
  auto const& o = parts.settings;
  try {
    auto const encoder = mae::open_pretrained_encoder(
        mae::read_pretrained(o.teacher.string(), {.flags_of = "mae_convert's "}),
        mae::eigen_backend<float>(1));
    if (mae::index_t const depth = encoder.sizes().encoder.depth; o.perceptual_block > depth)
      throw mae::config_error("--perceptual-block " + std::to_string(o.perceptual_block) +
                              " of an encoder whose blocks are 1 to " + std::to_string(depth));
    auto const seen = input_statistics(o, parts.images, parts.start, *parts.threads);
    auto made = mae::frozen_blocks_of(encoder, seen, backend, o.perceptual_block);
    mae::perceptual<Backend>{made}.fitted(config_of(o));  // of the same patches
    return made;
  } catch (mae::config_error const& refused) {
    throw mae::config_error("--teacher " + o.teacher.string() + ": " + refused.what());
  }
}

}  // namespace

mae::teacher open_teacher(mae::pretrained_model const& found, mae::index_t blocks) {
  return mae::frozen_teacher(mae::open_pretrained_encoder(found, mae::eigen_backend<float>(1)),
                             blocks);
}

std::shared_ptr<mae::frozen_blocks<mae::eigen_backend<float>> const> open_perceptual(
    task_parts const& parts, mae::eigen_backend<float> const& backend) {
  return open_blocks(parts, backend);
}
std::shared_ptr<mae::frozen_blocks<mae::eigen_backend<mae::bfloat16>> const> open_perceptual(
    task_parts const& parts, mae::eigen_backend<mae::bfloat16> const& backend) {
  return open_blocks(parts, backend);
}

mae::teacher follow_student(mae::model_config const& config,
                            mae::index_t blocks,
                            precision_choice precision) {
  if (precision == precision_choice::bf16)
    return mae::moving_teacher(config, mae::eigen_backend<mae::bfloat16>(1), blocks);
  return mae::moving_teacher(config, mae::eigen_backend<float>(1), blocks);
}

}  // namespace pretrain
