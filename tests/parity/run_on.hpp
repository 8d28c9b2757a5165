#pragma once

#include "backend_run.hpp"

#include <mae/backend/concept.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/synthetic.hpp>
#include <mae/eval/labelled_features.hpp>
#include <mae/eval/linear_classifier.hpp>
#include <mae/eval/linear_probe.hpp>
#include <mae/head/classifier.hpp>
#include <mae/head/uniformity.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/io/model_file.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/cross_autoencoder.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/encoder_of.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/staging.hpp>
#include <mae/op/add.hpp>
#include <mae/op/attention.hpp>
#include <mae/op/cross_entropy.hpp>
#include <mae/op/gelu.hpp>
#include <mae/op/heat_map_loss.hpp>
#include <mae/op/layer_norm.hpp>
#include <mae/op/linear.hpp>
#include <mae/op/patch_loss.hpp>
#include <mae/op/pooling.hpp>
#include <mae/op/query_pooling.hpp>
#include <mae/op/query_tokens.hpp>
#include <mae/op/rectify.hpp>
#include <mae/op/row_marks.hpp>
#include <mae/op/set_zero.hpp>
#include <mae/op/token_maps.hpp>
#include <mae/op/tokens.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/optimizer/lion.hpp>
#include <mae/optimizer/optimizer.hpp>
#include <mae/optimizer/sgd.hpp>
#include <mae/optimizer/with_average.hpp>
#include <mae/train/heldout.hpp>
#include <mae/train/trainer.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <numeric>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace mae_test {

using mae::index_t;
using mae::matrix_view;

/// Runs every op of the library, and a small model's training, on one backend, over inputs that are
/// the same for all, and keeps what comes out.
template <mae::Backend B>
class backend_runner {
  using lane_type = typename B::lane;
  using T = typename B::scalar;
  using O = typename lane_type::operand;

  /// A matrix in the backend's memory, of random values, or of NaN, which a kernel must not leave.
  template <class V>
  struct array {
    array(index_t row_count, index_t col_count)
        : memory(row_count * col_count), rows(row_count), cols(col_count) {}

    matrix_view<V> view() { return {memory.data(), rows, cols}; }
    std::span<V> values() { return {memory.data(), static_cast<std::size_t>(rows * cols)}; }

    typename B::template buffer_of<V> memory;
    index_t rows;
    index_t cols;
  };

 public:
  explicit backend_runner(B const& backend) : backend_(backend), lane_(backend.make_lane()) {}

  backend_run run() {
    run_linear();
    run_layer_norm();
    run_attention();
    run_cross_attention();
    run_tokens();
    run_loss();
    run_classes();
    run_rule(mae::adamw{});
    run_rule(mae::lion{});
    run_rule(mae::with_average(mae::sgd{.weight_decay = 0.1, .nesterov = true},
                               {.momentum = 0.9, .last_momentum = 0.99}));
    run_probe();
    run_model();
    return results_;
  }

 private:
  template <class V = T>
  array<V> random(index_t rows, index_t cols) {
    array<V> made(rows, cols);
    std::vector<V> values;
    for (index_t i = 0; i < rows * cols; ++i)
      values.push_back(static_cast<V>(static_cast<float>(random_.normal())));
    lane_.upload(std::span<V const>(values), made.values());
    return made;
  }
  template <class V = T>
  array<V> unset(index_t rows, index_t cols) {
    array<V> made(rows, cols);
    std::vector<V> const values(static_cast<std::size_t>(rows * cols),
                                static_cast<V>(std::nanf("")));
    lane_.upload(std::span<V const>(values), made.values());
    return made;
  }
  array<index_t> indices(std::vector<index_t> const& values) {
    array<index_t> made(1, std::ssize(values));
    lane_.upload(std::span<index_t const>(values), made.values());
    return made;
  }

  template <class V>
  void keep(std::string const& name, array<V>& result) {
    std::vector<V> host(result.values().size());
    lane_.download(std::span<V const>(result.values()), std::span<V>(host));
    auto& kept = results_.values[name];
    for (V const value : host) kept.push_back(static_cast<float>(value));
  }

  /// Rows and widths that fill no tile, no warp and no block, and some that do.
  void run_linear() {
    for (auto const& [rows, in, out] : std::vector<std::array<index_t, 3>>{
             {1, 4, 4}, {37, 48, 100}, {200, 132, 64}, {5, 20, 36}}) {
      std::string const name = "linear " + std::to_string(rows) + "x" + std::to_string(in) + "x" +
                               std::to_string(out) + " ";
      auto x = random<O>(rows, in);
      auto weight = random(out, in);
      auto bias = random(1, out);
      array<typename lane_type::cell> forward(1, lane_type::packed_cells(in, out));
      array<typename lane_type::cell> backward(1, lane_type::packed_cells(out, in));
      matrix_view<T const> const w = weight.view();
      mae::linear_operands<lane_type> const layer{
          .forward = lane_.pack_transposed(w, forward.memory.data()),
          .backward = lane_.pack(w, backward.memory.data()),
          .bias = bias.values()};
      auto y = unset(rows, out);
      mae::linear_forward<lane_type, T>(lane_, x.view(), layer, y.view());
      keep(name + "y", y);
      auto y_operand = unset<O>(rows, out);
      mae::linear_forward<lane_type, O>(lane_, x.view(), layer, y_operand.view());
      keep(name + "y as operands", y_operand);
      auto residual = random(rows, out);
      mae::linear_residual_forward(lane_, x.view(), layer, residual.view(), y.view());
      keep(name + "y and residual", y);
      auto slope = unset<O>(rows, out);
      mae::linear_gelu_forward(lane_, x.view(), layer, y_operand.view(), slope.view());
      keep(name + "gelu", y_operand);
      keep(name + "gelu's slope", slope);

      auto y_grad = random<O>(rows, out);
      auto x_grad = unset(rows, in);
      auto weight_grad = random(out, in);
      auto bias_grad = random(1, out);
      mae::linear_backward<lane_type, T>(lane_,
                                         x.view(),
                                         layer,
                                         y_grad.view(),
                                         x_grad.view(),
                                         {weight_grad.view(), bias_grad.values()});
      keep(name + "x_grad", x_grad);
      keep(name + "weight_grad", weight_grad);
      keep(name + "bias_grad", bias_grad);
      auto h_grad = unset<O>(rows, in);
      auto in_slope = random<O>(rows, in);
      mae::gelu_linear_backward(lane_, layer, y_grad.view(), in_slope.view(), h_grad.view());
      keep(name + "h_grad", h_grad);
    }
  }

  void run_layer_norm() {
    for (auto const& [rows, width] :
         std::vector<std::array<index_t, 2>>{{1, 4}, {301, 96}, {17, 100}, {8, 768}}) {
      std::string const name = "norm " + std::to_string(rows) + "x" + std::to_string(width) + " ";
      auto x = random(rows, width);
      auto weight = random(1, width);
      auto bias = random(1, width);
      mae::norm_weights<T const> const weights{weight.values(), bias.values()};
      auto y = unset<O>(rows, width);
      auto statistics = unset(rows, 2);
      mae::layer_norm_forward<lane_type, O>(
          lane_, x.view(), weights, T{1e-6F}, y.view(), statistics.view());
      keep(name + "y", y);
      keep(name + "statistics", statistics);
      auto y_grad = random(rows, width);
      auto x_grad = random(rows, width);
      auto weight_grad = random(1, width);
      auto bias_grad = random(1, width);
      mae::layer_norm_backward(lane_,
                               x.view(),
                               weights,
                               statistics.view(),
                               y_grad.view(),
                               x_grad.view(),
                               {weight_grad.values(), bias_grad.values()});
      keep(name + "x_grad", x_grad);
      keep(name + "weight_grad", weight_grad);
      keep(name + "bias_grad", bias_grad);
    }
  }

  void run_attention() {
    struct shape {
      std::vector<index_t> lengths;
      index_t heads;
      index_t head_width;
    };
    for (auto const& s : {shape{{1, 4, 7, 2}, 5, 3},
                          shape{{17, 17, 17}, 3, 64},
                          shape{{65, 20, 21, 33}, 3, 32},
                          shape{{197}, 2, 32},
                          shape{{30, 9}, 2, 80}}) {
      std::vector<index_t> offsets{0};
      for (index_t const length : s.lengths) offsets.push_back(offsets.back() + length);
      index_t const rows = offsets.back();
      index_t const width = s.heads * s.head_width;
      index_t const longest = *std::ranges::max_element(s.lengths);
      std::string const name = "attention " + std::to_string(rows) + " rows ";
      auto at = indices(offsets);
      mae::row_offsets const images(at.values(), longest);
      auto qkv = random<O>(rows, 3 * width);
      auto y = unset<O>(rows, width);
      auto log_sums = unset(rows, s.heads);
      array<T> scratch(
          1, mae::attention_scratch_size<lane_type>({rows, longest, s.heads, s.head_width}));
      mae::attention_forward(
          lane_, qkv.view(), images, s.heads, y.view(), log_sums.view(), scratch.values());
      keep(name + "y", y);
      keep(name + "log_sums", log_sums);
      auto y_grad = random<O>(rows, width);
      auto qkv_grad = unset<O>(rows, 3 * width);
      mae::attention_backward(lane_,
                              qkv.view(),
                              images,
                              s.heads,
                              log_sums.view(),
                              y_grad.view(),
                              qkv_grad.view(),
                              scratch.values());
      keep(name + "qkv_grad", qkv_grad);
    }
  }

  /// Of images one asks nothing, and one has a single key.
  void run_cross_attention() {
    constexpr index_t heads = 3;
    constexpr index_t head_width = 32;
    constexpr index_t width = heads * head_width;
    auto asking = indices({0, 48, 48, 50, 115});
    auto asked = indices({0, 17, 30, 31, 52});
    mae::attention_rows const rows{{asking.values(), 65}, {asked.values(), 21}};
    auto q = random<O>(115, width);
    auto kv = random<O>(52, 2 * width);
    auto y = unset<O>(115, width);
    auto log_sums = unset(115, heads);
    array<T> scratch(1, mae::attention_scratch_size<lane_type>({115, 65, heads, head_width}));
    mae::cross_attention_forward(
        lane_, q.view(), kv.view(), rows, heads, y.view(), log_sums.view(), scratch.values());
    keep("cross-attention y", y);
    keep("cross-attention log_sums", log_sums);
    auto y_grad = random<O>(115, width);
    auto q_grad = unset<O>(115, width);
    auto kv_grad = unset<O>(52, 2 * width);
    mae::cross_attention_backward(lane_,
                                  q.view(),
                                  kv.view(),
                                  rows,
                                  heads,
                                  log_sums.view(),
                                  y_grad.view(),
                                  q_grad.view(),
                                  kv_grad.view(),
                                  scratch.values());
    keep("cross-attention q_grad", q_grad);
    keep("cross-attention kv_grad", kv_grad);
    run_queries_of_patches();
  }

  void run_queries_of_patches() {
    index_t const width = 36;
    auto patches = indices({0, 3, 5, 12, 13, 15});
    auto token = random(1, width);
    auto positions = random(7, width);
    auto y = unset(6, width);
    mae::place_queries_forward(lane_, token.values(), positions.view(), patches.values(), y.view());
    keep("queries placed", y);
    auto y_grad = random(6, width);
    auto token_grad = random(1, width);
    auto positions_grad = random(7, width);
    mae::place_queries_backward(
        lane_, y_grad.view(), patches.values(), token_grad.values(), positions_grad.view());
    keep("queries token_grad", token_grad);
    keep("queries positions_grad", positions_grad);
  }

  void run_tokens() {
    index_t const width = 36;
    auto source = indices({-1, 2, 0, -1, 1, 3});
    auto position = indices({0, 5, 1, 0, 2, 3});
    mae::token_sources const from{source.values(), position.values()};
    auto x = random(4, width);
    auto shared = random(1, width);
    auto positions = random(6, width);
    auto y = unset(6, width);
    mae::place_tokens_forward(lane_, x.view(), shared.values(), positions.view(), from, y.view());
    keep("tokens placed", y);
    auto y_grad = random(6, width);
    auto x_grad = unset(4, width);
    auto shared_grad = random(1, width);
    mae::place_tokens_backward(lane_, y_grad.view(), from, x_grad.view(), shared_grad.values());
    keep("tokens x_grad", x_grad);
    keep("tokens shared_grad", shared_grad);
    auto slopes = unset(1, 4);
    mae::place_tokens_slopes(lane_, x.view(), y_grad.view(), from, slopes.values());
    keep("tokens slopes", slopes);
    auto rows = indices({5, 0, 3});
    auto gathered = unset<O>(3, width);
    mae::gather_rows_forward<lane_type, O>(lane_, y.view(), rows.values(), gathered.view());
    keep("rows gathered", gathered);
    auto gathered_grad = random(3, width);
    auto back = unset(6, width);
    mae::gather_rows_backward(lane_, gathered_grad.view(), rows.values(), back.view());
    keep("rows scattered", back);
    auto converted = unset<O>(6, width);
    auto operands = mae::as_operands(lane_, y.view(), converted.view());
    auto copy = unset<O>(6, width);
    auto all = indices({0, 1, 2, 3, 4, 5});
    lane_.for_rows(6, mae::kernel::copy_row<O, O>{operands, all.values(), copy.view()});
    keep("operands", copy);
  }

  void run_loss() {
    using kind = mae::patch_loss::kind;
    array<double> total(1, 1);
    auto factor = random(1, 1);
    for (mae::patch_loss const& loss : {mae::patch_loss{},
                                        mae::patch_loss{.of = kind::l1},
                                        mae::patch_loss{.of = kind::smooth_l1, .beta = 0.6}}) {
      std::string const name = "loss " + std::to_string(static_cast<int>(loss.of));
      auto prediction = random(300, 48);
      auto target = random(300, 48);
      array<T> losses(1, 300);
      mae::patch_loss_forward(lane_, loss, prediction.view(), target.view(), losses.values());
      mae::add_losses(lane_, std::span<T const>(losses.values()), total.memory.data());
      mae::add_losses(lane_, std::span<T const>(losses.values()), total.memory.data());
      keep(name, losses);
      mae::patch_loss_backward(lane_, loss, prediction.view(), target.view(), prediction.view());
      keep(name + ", gradient", prediction);
      mae::add_times(lane_, factor.memory.data(), target.view(), prediction.view());
      keep(name + ", added to", prediction);
    }
    auto weights = random(1, 300);
    auto weighed = random(300, 48);
    auto target = random(300, 48);
    auto marked = random(300, 1);
    mae::add_losses(
        lane_, std::span<T const>(weights.values()), total.memory.data(), weights.memory.data());
    mae::patch_loss_backward(lane_,
                             {},
                             weighed.view(),
                             target.view(),
                             weighed.view(),
                             std::as_const(weights.memory).data());
    keep("weighed loss, gradient", weighed);
    mae::keep_counted_losses(lane_, marked.view(), weights.values());
    keep("counted losses", weights);
    mae::weigh_rows(lane_, marked.view(), weighed.view());
    keep("rows weighed by their marks", weighed);
    keep("summed losses", total);
  }

  /// Two images' tokens, one of which shows no patch; more classes than a block has threads.
  void run_classes() {
    index_t const width = 36;
    auto starts = indices({0, 5, 6});
    mae::row_offsets const images{starts.values(), 5};
    auto tokens = random(6, width);
    for (auto const pool :
         {mae::pooling::class_token, mae::pooling::mean, mae::pooling::both, mae::pooling::first}) {
      std::string const name = "pooling " + std::to_string(static_cast<int>(pool));
      auto y = unset(2, mae::pooled_width(pool, width));
      mae::pool_tokens_forward(lane_, tokens.view(), images, pool, y.view());
      keep(name, y);
      auto grad = unset(6, width);
      mae::pool_tokens_backward(lane_, y.view(), images, pool, grad.view());
      keep(name + ", gradient", grad);
    }
    run_queries(tokens, images);
    run_maps();
    auto logits = random(3, 1100);
    auto labels = unset(3, 1);
    std::vector<T> const wanted{T{1099}, T{mae::ignored_label}, T{0}};
    lane_.upload(std::span<T const>(wanted), labels.values());
    auto losses = unset(1, 3);
    mae::cross_entropy_forward(lane_, logits.view(), labels.view(), 0.1, losses.values());
    keep("cross entropy", losses);
    mae::cross_entropy_backward(lane_, logits.view(), labels.view(), 0.1, logits.view());
    keep("cross entropy, gradient", logits);
  }

  /// Two images of 2 x 3 tokens, of which the second shows two, as maps of 8 x 9 cells.
  void run_maps() {
    constexpr index_t points = 3;
    mae::map_resize const how{{2, 3}, {8, 9}, 1};
    auto starts = indices({0, 7, 10});
    auto position = indices({0, 1, 2, 3, 4, 5, 6, 0, 2, 5});
    mae::row_offsets const images{starts.values(), 7};
    auto tokens = random(10, how.window() * points);
    auto rectified = unset(10, how.window() * points);
    mae::rectify_forward(lane_, tokens.view(), rectified.view());
    keep("rectified", rectified);
    auto cells = unset(12, how.window() * points);
    mae::spread_tokens_forward(lane_, rectified.view(), images, position.values(), cells.view());
    keep("tokens in their places", cells);
    auto maps = unset(2 * how.to.size(), points);
    mae::resample_maps_forward(lane_, how, cells.view(), maps.view());
    keep("resampled maps", maps);

    auto labels = unset(2 * points, mae::heat_map_label_width);
    std::vector<T> const wanted{
        T(1.5), T(2.5), 1, T(8.9), T(7.7), 1, 0, 0, 0, 4, 4, 1, T(0.1), T(7.9), 1, 3, 0, 1};
    lane_.upload(std::span<T const>(wanted), labels.values());
    auto losses = unset(1, 2 * points);
    mae::heat_map_target const target{how.to, 1.5};
    mae::heat_map_loss_forward(lane_, target, maps.view(), labels.view(), losses.values());
    keep("heat maps' loss", losses);
    mae::heat_map_loss_backward(lane_, target, maps.view(), labels.view(), maps.view());
    keep("heat maps' loss, gradient", maps);
    mae::resample_maps_backward(lane_, how, maps.view(), cells.view());
    keep("resampled maps, gradient", cells);
    auto tokens_grad = unset(10, how.window() * points);
    mae::spread_tokens_backward(lane_, cells.view(), images, position.values(), tokens_grad.view());
    mae::rectify_backward(lane_, tokens.view(), tokens_grad.view());
    keep("tokens in their places, gradient", tokens_grad);
  }

  /// Queries of the same images, whose class tokens are not asked.
  void run_queries(array<T>& tokens, mae::row_offsets const& images) {
    constexpr index_t count = 3;
    index_t const width = tokens.view().cols;
    auto queries = random(count, width);
    auto shares = random(6, count);
    auto slopes = random(6, count);
    auto y = unset(2, count * width);
    mae::pool_by_queries_forward(
        lane_, {tokens.view(), images, 1, queries.view()}, shares.view(), y.view());
    keep("pooling by queries", y);
    keep("pooling by queries, shares", shares);
    auto of_image = unset(2, count * width);
    auto tokens_grad = unset(6, width);
    auto queries_grad = random(1, count * width);
    mae::pool_by_queries_backward(lane_,
                                  {tokens.view(), images, 1, queries.view()},
                                  shares.view(),
                                  y.view(),
                                  {slopes.view(), of_image.view()},
                                  tokens_grad.view(),
                                  queries_grad.values());
    keep("pooling by queries, gradient", tokens_grad);
    keep("pooling by queries, queries' gradient", queries_grad);
  }

  /// A flat array of `layout`, zero between its tensors.
  array<T> random_tensors(mae::parameter_layout const& layout) {
    array<T> made(1, layout.size());
    for (auto const& tensor : layout.tensors()) {
      std::vector<T> values;
      for (index_t i = 0; i < tensor.size(); ++i)
        values.push_back(static_cast<T>(static_cast<float>(random_.normal())));
      lane_.upload(std::span<T const>(values),
                   made.values().subspan(static_cast<std::size_t>(tensor.offset), values.size()));
    }
    return made;
  }

  /// Three steps of a rule over tensors of each kind.
  template <mae::UpdateRule Rule>
  void run_rule(Rule const& rule) {
    mae::parameter_layout layout;
    layout.add_token("token", 10);
    layout.set_depth(1);
    layout.add_linear("linear", 75, 60);
    layout.set_depth(2);
    layout.add_positions("positions", 3, 5);
    layout.add_norm("norm", 7);
    auto values = random_tensors(layout);
    auto gradient = random_tensors(layout);
    mae::optimizer optimizer(layout, rule, backend_, {.layer_decay = 0.5});
    for (double const progress : {0.0, 0.25, 0.5})
      optimizer.step(values.values(), gradient.values(), 0.1, 0.5, progress);
    keep(rule.name() + " values", values);
    for (char const* const name : rule.state_names) {
      mae::host_values<B> const state(backend_, optimizer.state(name));
      auto& kept = results_.values[rule.name() + " " + name];
      for (T const value : state.span()) kept.push_back(static_cast<float>(value));
    }
    mae::set_zero(lane_, values.values());
    keep("zeros", values);
  }

  /// A linear classifier of two pieces, and a whole probe, on features of three classes that lie a
  /// distance of 2 apart.
  void run_probe() {
    constexpr index_t images = 200;
    constexpr index_t width = 36;
    constexpr index_t classes = 3;
    mae::random_stream random{mae::stream_key{.seed = 12}};
    std::vector<float> features;
    std::vector<index_t> labels;
    for (index_t i = 0; i < images; ++i) {
      labels.push_back(i % classes);
      for (index_t j = 0; j < width; ++j)
        features.push_back((j == i % classes ? 2.0F : 0.0F) +
                           0.3F * static_cast<float>(random.normal()));
    }
    mae::labelled_features const set{{features.data(), images, width}, labels};
    mae::linear_classifier<B> probe(width, classes, 100, mae::sgd{}, backend_);
    probe.initialise(random);
    std::vector<mae::image_index> rows(100);
    std::iota(rows.begin(), rows.end(), mae::image_index{50});
    auto& losses = results_.values["losses of a linear classifier"];
    for (int step = 0; step < 8; ++step)
      losses.push_back(static_cast<float>(probe.train(set, rows, 0.1)));
    mae::host_values<B> const weights(backend_, probe.values());
    results_.values["a linear classifier"].assign(weights.span().begin(), weights.span().end());
    auto const result = mae::linear_probe(backend_, set, set, classes, {.epochs = 4, .batch = 100});
    results_.values["linear probe"] = {static_cast<float>(result.loss),
                                       static_cast<float>(result.top1)};
  }

  // ---- a whole model ---------------------------------------------------------------------------

  /// In float, rows of the decoder's hidden layer are 4096 bytes: they are laid further apart.
  static constexpr mae::model_config config{
      .image = {.height = 16, .width = 24, .channels = 3},
      .patch = {.height = 4, .width = 4},
      .encoder = {.depth = 3, .width = 48, .heads = 3},
      .decoder = {.depth = 2, .width = 24, .heads = 2, .mlp_ratio = {128, 3}}};

  /// Every kind of head on one encoder.
  template <class Model>
  typename Model::parts parts_of(std::uint64_t seed) const {
    return {.seed = seed,
            .mask = mae::random_ratio_mask({.low = 0.5, .high = 0.9}),
            .backend = backend_,
            .heads = {mae::uniformity{}, mae::classifier{.classes = 10, .normalises = true}},
            .head_weights = {1, 0.5, 0.25}};
  }

  void run_model() {
    using model_type = mae::autoencoder<config,
                                        mae::random_ratio_mask,
                                        B,
                                        mae::normalised_pixels,
                                        mae::uniformity,
                                        mae::classifier>;
    mae::synthetic_dataset const images(256, 3, config.image);
    model_type model(parts_of<model_type>(5));
    mae::trainer training(
        model, images, {.seed = 7, .batch_size = 64, .steps = 10, .lr = 1e-3, .clip = 1});
    auto& losses = results_.values["ten losses"];
    auto& norms = results_.values["ten gradient norms"];
    for (int i = 0; i < 10; ++i) {
      auto const report = training.step();
      losses.push_back(static_cast<float>(report.loss));
      norms.push_back(static_cast<float>(report.gradient_norm));
      for (auto const& head : report.heads)
        results_.values["losses of " + std::string(head.name)].push_back(
            static_cast<float>(head.loss));
      if (i == 0) keep_gradient(model, training);
    }
    auto const heldout = mae::evaluate_heldout(model, images, 100);
    results_.values["held-out"] = {static_cast<float>(heldout.loss),
                                   static_cast<float>(heldout.baseline)};
    auto const features = mae::encoder_of(model).features(images, mae::pooling::both);
    results_.values["features"].assign(features.begin(), features.end());
    check_files(model, training, images);
    run_conflicts<model_type>(images);
    if constexpr (std::is_same_v<O, T>) {
      auto seen = parts_of<model_type>(5);
      seen.visible_weight = 0.3;
      run_steps<model_type>("visible patches", std::move(seen), images);
      using crossing =
          mae::cross_autoencoder<config, mae::random_ratio_mask, B, mae::normalised_pixels>;
      run_steps<crossing>("cross-attention",
                          {.seed = 5,
                           .mask = mae::random_ratio_mask({.low = 0.5, .high = 0.9}),
                           .backend = backend_},
                          images);
    }
  }

  /// Two steps, and the gradients of the first.
  template <class Model>
  void run_steps(std::string const& name,
                 typename Model::parts parts,
                 mae::synthetic_dataset const& images) {
    Model model(std::move(parts));
    mae::trainer training(
        model, images, {.seed = 7, .batch_size = 64, .steps = 2, .lr = 1e-3, .warmup_epochs = 0});
    for (int i = 0; i < 2; ++i) {
      auto const report = training.step();
      results_.values["losses of " + name].push_back(static_cast<float>(report.loss));
      results_.values["norms of " + name].push_back(static_cast<float>(report.gradient_norm));
      if (i == 0) keep_gradient(model, training, ", " + name);
    }
  }

  /// Heads' gradients one by one, and what their projection leaves.
  template <class Model>
  void run_conflicts(mae::synthetic_dataset const& images) {
    Model model(parts_of<Model>(5));
    mae::trainer training(model,
                          images,
                          {.seed = 7,
                           .batch_size = 64,
                           .steps = 3,
                           .lr = 1e-3,
                           .warmup_epochs = 0,
                           .conflicts = mae::conflict_rule::project,
                           .record_gradients = 1});
    for (int i = 0; i < 2; ++i) {
      auto const report = training.step();
      auto const& met = *report.gradients;
      for (std::size_t a = 0; a < met.heads; ++a) {
        auto& norms = results_.values["norms of " + std::string(report.heads[a].name)];
        for (std::size_t depth = 0; depth < met.depths; ++depth) {
          norms.push_back(static_cast<float>(met.norm(depth, a)));
          // Small gradients' directions are another matter in mixed precision.
          for (std::size_t b = 0; b < a && std::is_same_v<O, T>; ++b)
            results_.values["cosines"].push_back(static_cast<float>(met.cosine(depth, a, b)));
        }
      }
      results_.values["projected norms"].push_back(static_cast<float>(report.gradient_norm));
    }
  }

  /// All gradients of the first step: AdamW's first moments are a tenth of them.
  template <class Model, class Trainer>
  void keep_gradient(Model const& model, Trainer const& training, std::string const& suffix = {}) {
    mae::host_values<B> const moments(backend_, training.optimizer().state("first_moment"));
    for (auto const& tensor : model.layout().tensors()) {
      if (tensor.kind != mae::tensor_kind::parameter) continue;
      auto const values = moments.span().subspan(static_cast<std::size_t>(tensor.offset),
                                                 static_cast<std::size_t>(tensor.size()));
      results_.values["gradient of " + tensor.name + suffix].assign(values.begin(), values.end());
    }
  }

  /// Saves the training, resumes it in another model, and compares what is saved then.
  template <class Model, class Trainer>
  void check_files(Model const& model,
                   Trainer const& training,
                   mae::synthetic_dataset const& images) {
    auto const path = (std::filesystem::temp_directory_path() /
                       ("mae_backend_" + std::string(B::name()) + ".safetensors"))
                          .string();
    mae::save_training(path, training);
    Model other(parts_of<Model>(6));
    mae::trainer resumed(
        other, images, {.seed = 7, .batch_size = 64, .steps = 10, .lr = 1e-3, .clip = 1});
    mae::load_training(path, resumed);
    std::filesystem::remove(path);
    mae::host_values<B> const a(backend_, model.parameters().values());
    mae::host_values<B> const b(backend_, other.parameters().values());
    mae::host_values<B> const c(backend_, training.optimizer().state("second_moment"));
    mae::host_values<B> const d(backend_, resumed.optimizer().state("second_moment"));
    results_.files_agree =
        std::ranges::equal(a.span(), b.span()) && std::ranges::equal(c.span(), d.span());
    results_.parameters.assign(a.span().begin(), a.span().end());
  }

  B const& backend_;
  lane_type lane_;
  mae::random_stream random_{mae::stream_key{.seed = 11}};
  backend_run results_;
};

template <mae::Backend B>
backend_run run_on(B const& backend) {
  return backend_runner<B>(backend).run();
}

}  // namespace mae_test
