// R2: whole models against PyTorch, as make_fixtures.py describes them.

#include "loaded_model.hpp"
#include "model_fixture.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/io/parameter_file.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/network/layout.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/optimizer/optimizer.hpp>
#include <mae/patch/positions.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <span>
#include <string>
#include <vector>

namespace {

using mae::index_t;
using mae_test::allowed;
using mae_test::excess;
using mae_test::loaded_model;
using mae_test::model_fixture;

std::array<std::string, 4> const models{"square", "oblong", "conv23", "ragged"};

/// One tensor's part of a flat array of the layout.
template <class T>
std::span<T const> part_of(std::span<T const> block, mae::tensor_spec const& tensor) {
  return block.subspan(static_cast<std::size_t>(tensor.offset),
                       static_cast<std::size_t>(tensor.size()));
}

bool is_frozen(mae::tensor_spec const& tensor) {
  return tensor.kind == mae::tensor_kind::buffer;
}

/// The tensors that training changes, but a key's bias in float: its gradient is zero but for
/// rounding, which Adam magnifies. So a bias of queries, keys and values becomes two tensors there.
template <class T>
std::vector<mae::tensor_spec> tensors_after_steps(mae::parameter_layout const& layout) {
  std::vector<mae::tensor_spec> compared;
  for (auto tensor : layout.tensors()) {
    if (is_frozen(tensor)) continue;
    if (!allowed<T>::is_double && tensor.name.ends_with("attn.qkv.bias")) {
      tensor.shape.front() /= 3;
      compared.push_back(tensor);
      tensor.offset += 2 * tensor.size();
    }
    compared.push_back(tensor);
  }
  return compared;
}

/// Adds the gradient of the summed losses of all images, which are shards of one image each;
/// returns that sum.
template <class T>
double sum_over_shards(loaded_model<T>& model) {
  double loss = 0;
  for (index_t i = 0; i < model.plan().images(); ++i) {
    model.use_images(i, i + 1);
    auto const targets = model.normalised_targets();
    loss += model.forward(targets);
    model.backward(targets);
  }
  return loss;
}

/// Takes the fixture's steps of AdamW; returns the loss before each.
template <class T>
std::vector<double> train(model_fixture const& file, loaded_model<T>& model) {
  mae::optimizer optimizer(model.layout(),
                           mae::adamw{.weight_decay = file.number("weight_decay"),
                                      .beta1 = file.number("beta1"),
                                      .beta2 = file.number("beta2"),
                                      .epsilon = file.number("epsilon")},
                           mae::eigen_backend<T>(1));
  auto const noise = file.values("steps.noise");
  auto const each = static_cast<std::size_t>(model.plan().images() * model.plan().patches());
  std::vector<double> losses;
  for (std::size_t at = 0; at < noise.size(); at += each) {
    model.set_noise(std::span(noise).subspan(at, each));
    std::ranges::fill(model.gradient(), T{0});
    auto const count = static_cast<double>(model.plan().total().target);
    losses.push_back(sum_over_shards(model) / count);
    optimizer.step(model.values(), model.gradient(), file.number("learning_rate"), 1.0 / count);
  }
  return losses;
}

}  // namespace

TEST_CASE("R2: the tensors' names, shapes, positions and decay groups are the official ones") {
  for (auto const& name : models) {
    CAPTURE(name);
    model_fixture const file(name);
    auto const layout = mae_test::layout_of(file.config());
    auto const is_parameter = [](mae::tensor_entry const& tensor) {
      return std::ranges::none_of(
          std::array{"input.", "output.", "grad.", "steps."},
          [&](char const* prefix) { return tensor.name.starts_with(prefix); });
    };
    CHECK(std::ranges::count_if(file.file().tensors(), is_parameter) ==
          std::ssize(layout.tensors()));
    for (auto const& tensor : layout.tensors()) {
      CAPTURE(tensor.name);
      auto const* const stored = file.file().find(tensor.name);
      REQUIRE(stored != nullptr);
      CHECK(stored->shape == mae::file_shape(tensor));
      CHECK(is_frozen(tensor) == (file.file().find("grad." + tensor.name) == nullptr));
      CHECK(tensor.decays == (!is_frozen(tensor) && stored->shape.size() > 1));
      if (!is_frozen(tensor)) continue;
      std::vector<double> table(static_cast<std::size_t>(tensor.size()));
      mae::sincos_positions<double>(file.config().grid_rows(),
                                    file.config().grid_columns(),
                                    {table.data(), tensor.shape.at(1), tensor.shape.at(2)});
      CHECK(excess<double>(table, file.values(tensor.name), allowed<double>::output) <= 0);
    }
  }
}

TEST_CASE_TEMPLATE("R2: masks, embedded patches and targets are PyTorch's", T, float, double) {
  for (auto const& name : models) {
    CAPTURE(name);
    model_fixture const file(name);
    loaded_model<T> model(file);
    std::vector<index_t> visible;
    std::vector<index_t> target;
    for (index_t i = 0; i < model.plan().images(); ++i) {
      std::ranges::copy(model.plan().visible(i), std::back_inserter(visible));
      std::ranges::copy(model.plan().target(i), std::back_inserter(target));
    }
    CHECK(visible == file.integers("output.visible_positions"));
    CHECK(target == file.integers("output.target_positions"));

    auto const embedded = model.patch_embedding();
    CHECK(excess<T>(embedded, file.values("output.patch_embedding"), allowed<T>::output) <= 0);
    auto const targets = model.normalised_targets();
    CHECK(excess<T>(targets, file.values("output.target"), allowed<T>::output) <= 0);
  }
}

TEST_CASE_TEMPLATE("R2: tokens, predictions and losses are PyTorch's", T, float, double) {
  for (auto const& name : models) {
    CAPTURE(name);
    model_fixture const file(name);
    loaded_model<T> model(file);
    auto const tokens = model.latent();
    CHECK(excess<T>(tokens, file.values("output.latent"), allowed<T>::output) <= 0);

    auto const count = static_cast<double>(model.plan().total().target);
    std::array const loss{model.forward(model.normalised_targets()) / count};
    CHECK(excess<double>(loss, file.values("output.loss"), allowed<T>::loss) <= 0);
    CHECK(excess(model.prediction(), file.values("output.pred"), allowed<T>::output) <= 0);
    std::array const pixel_loss{model.forward(model.targets(mae::pixels{})) / count};
    CHECK(excess<double>(pixel_loss, file.values("output.loss_pixels"), allowed<T>::loss) <= 0);
  }
}

TEST_CASE_TEMPLATE("R2: the gradient of every parameter is PyTorch's", T, float, double) {
  for (auto const& name : models) {
    CAPTURE(name);
    model_fixture const file(name);
    loaded_model<T> model(file);
    auto const expected = file.block<float>(model.layout(), "grad.");
    auto const targets = model.normalised_targets();
    model.forward(targets);
    model.backward(targets);
    for (T& value : model.gradient()) value /= static_cast<T>(model.plan().total().target);
    for (auto const& tensor : model.layout().tensors()) {
      if (is_frozen(tensor)) continue;
      CAPTURE(tensor.name);
      CHECK(excess(part_of<T>(model.gradient(), tensor),
                   part_of(expected.span(), tensor),
                   allowed<T>::gradient) <= 0);
    }
  }
}

TEST_CASE_TEMPLATE("R2: ten steps of AdamW are PyTorch's, shard by shard", T, float, double) {
  for (auto const& name : models) {
    CAPTURE(name);
    model_fixture const file(name);
    loaded_model<T> model(file);
    auto const losses = train(file, model);
    CHECK(losses.size() == 10);
    CHECK(excess<double>(losses, file.values("steps.loss"), allowed<T>::loss) <= 0);

    auto const expected = file.block<float>(model.layout(), "steps.final.");
    for (auto const& tensor : tensors_after_steps<T>(model.layout())) {
      CAPTURE(tensor.name);
      CHECK(excess(part_of<T>(model.values(), tensor),
                   part_of(expected.span(), tensor),
                   allowed<T>::output) <= 0);
    }
    auto const before = file.block<T>(model.layout());
    for (auto const& tensor : model.layout().tensors())
      if (is_frozen(tensor))
        CHECK(
            std::ranges::equal(part_of<T>(model.values(), tensor), part_of(before.span(), tensor)));
  }
}
