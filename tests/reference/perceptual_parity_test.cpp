// R2: a perceptual distance against PyTorch, as make_perceptual_reference.py describes it.

#include "model_fixture.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/dataset.hpp>
#include <mae/head/perceptual.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/patch/patchify.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace {

using mae::index_t;
using mae_test::allowed;
using mae_test::excess;
using mae_test::model_fixture;

mae::pixel_statistics statistics_in(model_fixture const& file, std::string const& whose) {
  auto const read = [&](std::string const& what) {
    std::string name = "input.";
    auto const values = file.values(name.append(whose).append(what));
    return std::vector<double>(values.begin(), values.end());
  };
  return {.mean = read("_mean"), .deviation = read("_deviation")};
}

/// The encoder's first two blocks.
template <class T>
mae::perceptual<mae::eigen_backend<T>> head_of(model_fixture const& file) {
  using backend = mae::eigen_backend<T>;
  auto const config = file.config();
  auto const layout = mae::layout_of(mae::network_parts<>{config});
  mae::frozen_settings const settings{.blocks = 2,
                                      .norm_epsilon = file.number("norm_epsilon"),
                                      .identity = "PyTorch's",
                                      .own = statistics_in(file, "own"),
                                      .seen = statistics_in(file, "seen")};
  mae::perceptual<backend> const head{std::make_shared<mae::frozen_blocks<backend> const>(
      config, settings, layout, file.block<T>(layout).span(), backend(1))};
  return head.fitted(config);
}

/// The true pictures, as labels are: (B, N P).
template <class T>
std::vector<T> pictures_in(model_fixture const& file) {
  auto const config = file.config();
  auto const images = file.values("input.images");
  std::vector<float> cut(images.size());
  auto const each = static_cast<std::size_t>(config.image.values());
  for (std::size_t at = 0; at < images.size(); at += each)
    mae::patchify(std::span(images).subspan(at, each),
                  config.image,
                  config.patch,
                  {cut.data() + at, config.num_patches(), config.patch_values()});
  return {cut.begin(), cut.end()};
}

}  // namespace

TEST_CASE_TEMPLATE("R2: a perceptual distance, and its gradient, are PyTorch's", T, float, double) {
  using backend = mae::eigen_backend<T>;
  using lane_type = typename backend::lane;
  model_fixture const file("perceptual");
  auto head = head_of<T>(file);
  auto const pictures = pictures_in<T>(file);
  auto const stored = file.values("input.predictions");
  std::vector<T> const predictions(stored.begin(), stored.end());
  mae::shard_rows rows;
  auto const plan = file.plan(file.values("input.noise"));
  rows.assign(plan, 0, plan.images());
  auto const shard = rows.view();
  auto const room = mae::shard_capacity::of(shard);
  auto const lane = backend(1).make_lane();
  auto const config = file.config();
  index_t const width = config.patch_values();

  for (bool const is_of_patch : {false, true}) {
    CAPTURE(is_of_patch);
    head.units = {.are_of_patch = is_of_patch, .epsilon = file.number("target_epsilon")};
    using pass_type = mae::perceptual_pass<backend, lane_type>;
    mae::carver<T> counter;
    pass_type::carve(counter, head, room, mae::pass_kind::training);
    std::vector<T> memory(static_cast<std::size_t>(counter.used()));
    mae::carver<T> carver(memory.data());
    auto const pass = pass_type::carve(carver, head, room, mae::pass_kind::training);
    std::vector<T> scratch(
        static_cast<std::size_t>(head.template scratch_size<lane_type>(room, lane.num_members())));
    mae::head_input<lane_type> const in{
        .lane = lane,
        .shard = shard,
        .tokens = {},
        .labels = {pictures.data(), plan.images(), config.image.values()},
        .scratch = scratch,
        .norm_epsilon = 0,
        .painted = {predictions.data(), shard.num_targets(), width}};
    std::vector<T> losses(static_cast<std::size_t>(plan.images()));
    pass.forward(in, 0, std::span<T>(losses));
    std::vector<T> gradient(predictions.size());
    T const factor = 1;
    pass.add_painted_gradient(in, &factor, {gradient.data(), shard.num_targets(), width});

    std::string const which = is_of_patch ? "of_patch" : "pixels";
    auto const expected = [&](std::string const& of) { return file.values(of + which); };
    CHECK(excess<T>(losses, expected("output."), allowed<T>::output) <= 0);
    CHECK(losses[2] == 0);  // of it nothing is hidden
    CHECK(excess<T>(gradient, expected("grad."), allowed<T>::gradient) <= 0);
  }
}
