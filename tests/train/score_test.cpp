#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/random.hpp>
#include <mae/core/row_offsets.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/pixel_noise.hpp>
#include <mae/head/pooled_linear.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/part.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/network/weights.hpp>
#include <mae/network/workspace.hpp>
#include <mae/op/linear.hpp>
#include <mae/op/patch_loss.hpp>
#include <mae/optimizer/optimizer.hpp>
#include <mae/optimizer/sgd.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

// Learning to take noise away is learning the score: of x ~ N(mu, S) and x~ = x + sigma n the best
// guess D(x~) of x has (D(x~) - x~) / sigma^2 = grad log p_sigma(x~) (Tweedie; Vincent 2011,
// "A connection between score matching and denoising autoencoders"), which is
// -(S + sigma^2 I)^-1 (x~ - mu).

namespace {

using mae::index_t;
using mae::matrix_view;
using score_backend = mae::eigen_backend<double>;
using score_lane = score_backend::lane;

constexpr index_t score_dims = 4;
constexpr double score_sigma = 0.8;
using score_point = std::array<double, score_dims>;

/// N(mu, S), S = Q diag(variances) Q with a reflection Q.
struct normal_cloud {
  score_point mean{0.4, -0.3, 0.2, 0.1};
  score_point variances{2.0, 1.0, 0.5, 0.25};
  score_point mirror{0.5, 0.5, -0.5, 0.5};  // of length 1: Q = I - 2 m m^T, its own inverse

  score_point reflected(score_point v) const {
    double const along = std::inner_product(v.begin(), v.end(), mirror.begin(), 0.0);
    for (std::size_t i = 0; i < v.size(); ++i) v[i] -= 2 * along * mirror[i];
    return v;
  }
  void draw(mae::random_stream& random, std::span<double> x) const {
    score_point z{};
    for (std::size_t i = 0; i < z.size(); ++i) z[i] = std::sqrt(variances[i]) * random.normal();
    z = reflected(z);
    for (std::size_t i = 0; i < z.size(); ++i) x[i] = mean[i] + z[i];
  }
  /// Of the cloud with noise of this deviation.
  score_point score(std::span<double const> x, double deviation) const {
    score_point v{};
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = mean[i] - x[i];
    v = reflected(v);
    for (std::size_t i = 0; i < v.size(); ++i) v[i] /= variances[i] + deviation * deviation;
    return reflected(v);
  }
};

/// Points and the same with noise, (n, score_dims) each.
struct noisy_points {
  std::vector<double> clean, noisy;

  noisy_points(normal_cloud const& cloud, index_t count, std::uint32_t epoch)
      : clean(static_cast<std::size_t>(count * score_dims)) {
    mae::random_stream random({.seed = 1, .use = mae::purpose::synthetic, .epoch = epoch});
    for (index_t i = 0; i < count; ++i)
      cloud.draw(random,
                 std::span(clean).subspan(static_cast<std::size_t>(i * score_dims), score_dims));
    noisy = clean;
    std::vector<mae::patch_index> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), mae::patch_index{0});
    mae::add_noise(score_sigma,
                   {.seed = 1, .use = mae::purpose::noise, .epoch = epoch},
                   all,
                   matrix_view<double>(noisy.data(), count, score_dims));
  }
};

/// A linear layer of the library, by its passes, loss and optimizer: D(x~) = W x~ + b.
class linear_denoiser {
 public:
  explicit linear_denoiser(index_t batch)
      : offsets_(static_cast<std::size_t>(batch) + 1),
        layout_(layout_of(head_)),
        values_(layout_.size()),
        gradients_(layout_.size()),
        packed_(mae::pass_kind::training),
        rule_(layout_, mae::sgd{.momentum = 0}, backend_) {
    std::iota(offsets_.begin(), offsets_.end(), index_t{0});
    workspace_.fit({.images = batch, .encoder_rows = batch, .longest_encoder_sequence = 1},
                   [&](mae::carver<double>& memory, mae::shard_capacity const& room) {
                     pass_ = pass_type::carve(memory, head_, room, mae::pass_kind::training);
                   });
    lane_.reserve_products(batch, score_dims);
    lane_.reserve_transposed(batch, score_dims);
    bind(std::as_const(values_).data(), views_);
    bind(gradients_.data(), grads_);
    packed_.place([&](auto& at) { head_.walk(at, views_, operands_); });
    packed_.pack(backend_);
  }

  /// One step of gradient descent on the squared distance from the clean points.
  void train(noisy_points const& points, double lr) {
    auto const count = static_cast<index_t>(points.clean.size()) / score_dims;
    matrix_view<double const> const targets(points.clean.data(), count, score_dims);
    auto const shard = shard_of(count);
    auto const in = input(shard, points.noisy);
    auto const said = pass_.forward(in, operands_);
    std::ranges::fill(gradients_.span(), 0.0);
    mae::patch_loss_backward(lane_, {}, said, targets, said);
    pass_.backward(in, operands_, said, {}, grads_);
    rule_.step(
        values_.span(), std::as_const(gradients_).span(), lr, 1.0 / static_cast<double>(count));
    packed_.pack(backend_);
  }
  matrix_view<double const> denoised(std::vector<double> const& noisy) {
    auto const shard = shard_of(static_cast<index_t>(noisy.size()) / score_dims);
    return pass_.forward(input(shard, noisy), operands_);
  }

 private:
  using pass_type = mae::pooled_linear_pass<score_lane>;

  static mae::parameter_layout layout_of(mae::pooled_linear const& head) {
    mae::parameter_layout layout;
    layout.begin("denoiser");
    mae::detail::table_walk at(layout);
    head.walk(at);
    return layout;
  }
  template <class T, class Views>
  void bind(T* base, Views& views) {
    mae::tensor_binder<T> at(layout_, base);
    head_.walk(at, views);
  }
  mae::shard_view shard_of(index_t count) const {
    mae::shard_view shard;
    shard.images = count;
    shard.encoder_offsets = {std::span(offsets_).first(static_cast<std::size_t>(count) + 1), 1};
    return shard;
  }
  mae::head_input<score_lane> input(mae::shard_view const& shard,
                                    std::vector<double> const& rows) const {
    return {.lane = lane_,
            .shard = shard,
            .tokens = {rows.data(), shard.images, score_dims},
            .labels = {},
            .scratch = {},
            .norm_epsilon = 0};
  }

  mae::pooled_linear head_{.name = "head",
                           .encoder_width = score_dims,
                           .outputs = score_dims,
                           .pool = mae::pooling::class_token};
  score_backend backend_{1};
  score_lane lane_ = backend_.make_lane();
  std::vector<index_t> offsets_;
  mae::parameter_layout layout_;
  score_backend::buffer values_, gradients_;
  mae::detail::packed_layers<score_backend> packed_;
  mae::optimizer<mae::sgd, score_backend> rule_;
  mae::pass_workspace<score_backend> workspace_;
  pass_type pass_;
  mae::pooled_linear::weights<double const, mae::linear_weights<double const>> views_;
  mae::pooled_linear::weights<double, mae::linear_weights<double>> grads_;
  mae::pooled_linear::weights<double const, mae::linear_operands<score_lane>> operands_;
};

/// The distance of (D(x~) - x~) / sigma^2 from a score, over the score's length, as root mean
/// squares over points that were not trained on.
double distance_from_score(linear_denoiser& denoiser,
                           normal_cloud const& cloud,
                           double deviation,
                           index_t count) {
  noisy_points const fresh(cloud, count, 1'000'000);
  auto const denoised = denoiser.denoised(fresh.noisy);
  matrix_view<double const> const noisy(fresh.noisy.data(), count, score_dims);
  double wrong = 0;
  double length = 0;
  for (index_t i = 0; i < count; ++i) {
    auto const asked = cloud.score(noisy.row(i), deviation);
    for (index_t k = 0; k < score_dims; ++k) {
      double const found = (denoised(i, k) - noisy(i, k)) / (score_sigma * score_sigma);
      double const difference = found - asked[static_cast<std::size_t>(k)];
      wrong += difference * difference;
      length += asked[static_cast<std::size_t>(k)] * asked[static_cast<std::size_t>(k)];
    }
  }
  return std::sqrt(wrong / length);
}

}  // namespace

TEST_CASE("reconstruction learns the score: a linear denoiser's is a normal distribution's to 1%") {
  constexpr index_t batch = 2048;
  constexpr int steps = 600;
  normal_cloud const cloud;
  linear_denoiser denoiser(batch);
  CHECK(distance_from_score(denoiser, cloud, score_sigma, batch) > 0.5);  // of values of 0
  for (int step = 0; step < steps; ++step)
    denoiser.train(noisy_points(cloud, batch, static_cast<std::uint32_t>(step)),
                   1.2 * 0.5 * (1 + std::cos(std::numbers::pi * step / steps)));
  double const distance = distance_from_score(denoiser, cloud, score_sigma, batch);
  CHECK(distance < 0.01);
  // That of the points without noise, and of more of it, are others.
  CHECK(distance_from_score(denoiser, cloud, 0, batch) > 0.1);
  CHECK(distance_from_score(denoiser, cloud, 1.1 * score_sigma, batch) > 0.03);
}
