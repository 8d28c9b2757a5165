#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/pooled_linear.hpp>
#include <mae/head/ranking_loss.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/coupled_step.hpp>
#include <mae/network/head.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/op/copy_rows.hpp>
#include <mae/op/pooling.hpp>

#include <cmath>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mae {

template <Lane L>
class ranking_pass;

/// The head that puts images in order: tokens are pooled, normalised if so asked, and a linear
/// layer gives each image a score; of two images of one query the more relevant is to have the
/// higher one (pairwise_logistic). The pairs are those of a step's images, so that batches should
/// hold many of a query; images of which nothing is said, and steps without a pair, teach nothing.
/// Of the samples of an image's views each has its own score.
struct ranking {
  template <class T, class Linear>
  using weights = pooled_linear::weights<T, Linear>;
  template <Lane L>
  using pass = ranking_pass<L>;

  static constexpr std::string_view name = "ranking";
  static constexpr bool couples = true;
  static constexpr bool learns_mixtures = false;  // a grade is one image's

  /// Of the images that it is trained on, by their numbers; not needed to predict.
  std::shared_ptr<relevance_judgements const> judgements = {};
  index_t encoder_width = 0;  // D
  pooling pool = pooling::mean;
  bool normalises = true;  // what was pooled

  /// The head on top of an encoder of these sizes.
  ranking fitted(model_config const& config) const {
    ranking head = *this;
    head.encoder_width = config.encoder.width;
    return head;
  }
  /// Throws config_error where no encoder was named, and for judgements that cannot be.
  void require_valid() const {
    if (encoder_width < 1) throw config_error("a ranking needs the width of its encoder");
    if (judgements != nullptr) judgements->require_valid();
  }
  /// Throws config_error unless the images of the training, so many, are those that are judged.
  void require_images(index_t images) const {
    require_judgements();
    if (std::ssize(judgements->relevance) != images)
      throw config_error("a ranking has judgements of " +
                         std::to_string(judgements->relevance.size()) +
                         " images, and the dataset has " + std::to_string(images) +
                         ": give one for each image, by its number in the dataset that is trained "
                         "on, and NaN where nothing is said");
  }
  settings_list settings() const {
    return {{"pooling", name_of(pool)}, {"norm", normalises ? "yes" : "no"}};
  }
  settings_list training_settings() const {
    return {{"judgements", judgements == nullptr ? "none" : std::to_string(judgements->hash())}};
  }

  pooled_linear part() const { return {"ranking.score", encoder_width, 1, pool, normalises}; }
  template <class Walk, class... Of>
  void walk(Walk& at, Of&... of) const {
    part().walk(at, of...);
  }
  index_t label_rows(shard_capacity const& room) const { return room.images; }
  index_t label_width() const { return 1; }
  product_extents extents(shard_capacity const& room) const { return part().extents(room); }

  /// z (S, 1), the scores; the views of an image are one after the other. Throws config_error
  /// without judgements, and for an image of which they know nothing.
  template <class T>
  double couple(matrix_view<T const> z, matrix_view<T> z_grad, coupled_step<T> const& step) const {
    std::vector<std::size_t> judged;  // samples
    std::vector<detail::ranked_sample> samples;
    auto const images = static_cast<index_t>(step.images.size());
    for (index_t s = 0; s < z.rows; ++s) {
      auto const at = number_of(step.images[static_cast<std::size_t>(s * images / z.rows)]);
      double const grade = judgements->relevance[at];
      z_grad(s, 0) = T{0};
      if (std::isnan(grade)) continue;
      judged.push_back(static_cast<std::size_t>(s));
      samples.push_back({static_cast<double>(z(s, 0)),
                         grade,
                         judgements->query.empty() ? 0 : judgements->query[at]});
    }
    std::vector<double> gradient(samples.size());
    double const loss = detail::pairwise_logistic(samples, gradient);
    for (std::size_t i = 0; i < judged.size(); ++i)
      z_grad(static_cast<index_t>(judged[i]), 0) = static_cast<T>(gradient[i]);
    return loss;
  }

 private:
  void require_judgements() const {
    if (judgements == nullptr)
      throw config_error("a ranking is trained by judgements: give ranking::judgements");
  }
  std::size_t number_of(index_t image) const {
    require_judgements();
    if (image >= std::ssize(judgements->relevance))
      throw config_error("image " + std::to_string(image) + " has no judgement: there are " +
                         std::to_string(judgements->relevance.size()));
    return static_cast<std::size_t>(image);
  }
};
static_assert(Head<ranking>);

/// A ranking on a lane. B images of a shard.
template <Lane L>
class ranking_pass {
  using T = scalar_of<L>;

 public:
  static ranking_pass carve(carver<T>& memory,
                            ranking const& head,
                            shard_capacity const& room,
                            pass_kind kind) {
    ranking_pass pass;
    pass.part_ = pooled_linear_pass<L>::carve(memory, head.part(), room, kind);
    return pass;
  }

  /// The scores (B, 1), the higher the more relevant.
  template <class Operands>
  matrix_view<T> predict(head_input<L> const& in, Operands const& weights) const {
    return part_.forward(in, weights);
  }
  template <class Operands>
  void embed(head_input<L> const& in, Operands const& weights, matrix_view<T> z) const {
    copy_rows(in.lane, predict(in, weights), z);
  }
  template <class Operands, class Gradients>
  void backward(head_input<L> const& in,
                Operands const& weights,
                matrix_view<T> tokens_grad,
                Gradients const& weights_grad) const {
    part_.backward(in, weights, in.labels, tokens_grad, weights_grad);
  }

 private:
  pooled_linear_pass<L> part_;
};

}  // namespace mae
