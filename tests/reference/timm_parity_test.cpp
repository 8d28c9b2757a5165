// R2 of the official fine-tuning's head: timm's numbers (make_timm_reference.py).

#include "model_fixture.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/classifier.hpp>
#include <mae/mask/plan.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/part.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/patch/patchify.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <tuple>
#include <vector>

namespace {

using mae::index_t;
using mae_test::allowed;
using mae_test::excess;
using mae_test::model_fixture;

template <class T>
std::vector<T> patches_of(model_fixture const& file) {
  auto const config = file.config();
  auto const pixels = file.values("input.images");
  std::vector<float> cut(pixels.size());
  auto const each = static_cast<std::size_t>(config.image.values());
  for (std::size_t at = 0; at < pixels.size(); at += each)
    mae::patchify(std::span(pixels).subspan(at, each),
                  config.image,
                  config.patch,
                  {cut.data() + at, config.num_patches(), config.patch_values()});
  return {cut.begin(), cut.end()};
}

template <class T>
std::vector<T> labels_of(std::vector<index_t> const& classes) {
  std::vector<T> labels;
  for (index_t const one : classes)
    labels.insert(labels.end(), {static_cast<T>(one), static_cast<T>(one), T{0}});
  return labels;
}

/// Of the mean of `count` losses.
template <class T>
void check_gradient(model_fixture const& file,
                    mae::parameter_layout const& layout,
                    mae::host_buffer<T> const& gradient,
                    double count) {
  auto const expected = file.block<float>(layout, "grad.");
  for (auto const& tensor : layout.tensors()) {
    if (tensor.kind == mae::tensor_kind::buffer) continue;
    CAPTURE(tensor.name);
    std::vector<double> mean;
    for (index_t i = tensor.offset; i < tensor.offset + tensor.size(); ++i)
      mean.push_back(static_cast<double>(gradient.data()[i]) / count);
    auto const size = static_cast<std::size_t>(tensor.size());
    CHECK(excess<double>(
              mean, std::span(expected.data() + tensor.offset, size), allowed<T>::gradient) <= 0);
  }
}

template <class T>
void check_classifier(model_fixture const& file) {
  using backend = mae::eigen_backend<T>;
  using network = mae::network_pass<backend, mae::classifier>;
  auto const config = file.config();
  auto const classes = file.integers("input.classes");
  index_t const images = std::ssize(classes);
  auto const parts = mae::fitted(mae::network_parts<mae::classifier>{
      .config = config,
      .norm_epsilon = file.number("norm_epsilon"),
      .heads = {{.classes = 4, .normalises = true, .smoothing = file.number("smoothing")}},
      .final_norm = mae::norm_place::pooled});
  auto const layout = mae::layout_of(parts);
  CHECK_FALSE(layout.contains("norm.weight"));
  auto const values = file.block<T>(layout);
  mae::host_buffer<T> gradient(layout.size());

  auto const patches = patches_of<T>(file);
  auto const labels = labels_of<T>(classes);
  mae::shard_rows shard;
  shard.assign(mae::mask_plan::all_visible(images, config.num_patches()), 0, images);
  typename network::input_type const in{
      shard,
      {patches.data(), images * config.num_patches(), config.patch_values()},
      {mae::matrix_view<T const>(labels.data(), images, 3)}};

  backend const on(1);
  typename network::prepared_type prepared(mae::pass_kind::training);
  auto const& operands =
      prepared.update(parts, mae::bind_network<T const>(layout, parts, values.data()), on);
  network pass(on.make_lane(), parts, mae::pass_kind::training);
  std::array<double, 1> sum{};
  pass.forward(operands, in, {.set = 1}, sum.data());
  auto const count = static_cast<double>(images);
  CHECK(excess<double>(std::array{sum[0] / count}, file.values("output.loss"), allowed<T>::loss) <=
        0);
  auto const scores =
      pass.template head<0>().predict(pass.input_of(in.shard), std::get<0>(operands.heads));
  CHECK(excess<T>({scores.data, static_cast<std::size_t>(scores.size())},
                  file.values("output.scores"),
                  allowed<T>::output) <= 0);
  pass.forward(operands, in, {.set = 1}, sum.data());
  pass.backward(operands, in, {.set = 1}, mae::bind_network(layout, parts, gradient.data()));
  check_gradient<T>(file, layout, gradient, count);
}

}  // namespace

TEST_CASE(
    "scores, loss and gradients of timm's classifier by the mean, whose norm comes after it") {
  model_fixture const file("timm_pooled");
  check_classifier<float>(file);
  check_classifier<double>(file);
}
