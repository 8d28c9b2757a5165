#include "editable_file.hpp"
#include "labelled_images.hpp"
#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/head/classifier.hpp>
#include <mae/head/painter.hpp>
#include <mae/head/uniformity.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/io/model_file.hpp>
#include <mae/mask/none.hpp>
#include <mae/mask/per_head.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/optimizer/sgd.hpp>
#include <mae/train/head_passes.hpp>
#include <mae/train/heldout.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <cmath>
#include <cstddef>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using mae::index_t;
using mae::no_mask;
using mae::uniform_mask;
using mae_test::labelled_images;
using exact = mae::eigen_backend<double>;

/// A painter of hidden patches; uniformity and a classifier, which may see others.
template <class B, class Painted = uniform_mask<>, class Spread = no_mask, class Told = no_mask>
using masked_heads = mae::autoencoder<mae_test::small_config,
                                      mae::per_head_mask<Painted, Spread, Told>,
                                      B,
                                      mae::normalised_pixels,
                                      mae::uniformity,
                                      mae::classifier>;

constexpr std::array<double, 3> weights{1, 0.5, 0.25};

template <class Model, class... Masks>
Model model_of(typename Model::backend_type backend,
               std::array<double, 3> const& head_weights,
               Masks... masks) {
  return Model({.seed = 5,
                .mask = typename Model::mask_type(std::move(masks)...),
                .backend = std::move(backend),
                .heads = {mae::uniformity{}, mae::classifier{.classes = 4, .start_deviation = 0}},
                .head_weights = head_weights});
}

mae::training_options options(index_t accumulate) {
  return {.batch_size = 30, .accumulate = accumulate, .steps = 3, .lr = 1e-2};
}

using named_values = std::map<std::string, std::vector<double>>;

/// The gradient of one step, of each tensor that a model has.
template <class Model>
named_values gradient_of(Model model, index_t accumulate) {
  labelled_images const images(60);
  std::vector<double> const before(model.parameters().values().begin(),
                                   model.parameters().values().end());
  mae::training_options once = options(accumulate);
  once.steps = 1;
  once.lr = 1;
  once.warmup_epochs = 0;
  mae::trainer trainer(model, images, once, mae::sgd{.momentum = 0});
  trainer.step();
  named_values found;
  for (auto const& tensor : model.layout().tensors()) {
    auto const after = model.parameters().tensor(tensor.name);
    auto& values = found[tensor.name];
    std::transform(before.begin() + tensor.offset,
                   before.begin() + tensor.offset + tensor.size(),
                   after.begin(),
                   std::back_inserter(values),
                   std::minus<>{});
  }
  return found;
}

void add(named_values& sum, named_values const& other) {
  for (auto const& [name, values] : other) {
    auto& to = sum[name];
    to.resize(values.size());
    std::ranges::transform(to, values, to.begin(), std::plus<>{});
  }
}

/// The largest length of a difference, and of a value.
std::pair<double, double> compare(named_values const& found, named_values const& expected) {
  std::pair<double, double> largest{0, 0};
  for (auto const& [name, values] : expected)
    for (std::size_t i = 0; i < values.size(); ++i) {
      largest.first = std::max(largest.first, std::abs(values[i] - found.at(name).at(i)));
      largest.second = std::max(largest.second, std::abs(values[i]));
    }
  return largest;
}

template <class B>
auto a_training_model(int threads, std::array<double, 3> const& head_weights = weights) {
  return model_of<masked_heads<B>>(
      B(threads), head_weights, uniform_mask<>(0.75), no_mask{}, no_mask{});
}
/// That model with some heads off, and the values of its others.
auto with_heads(std::array<double, 3> const& head_weights) {
  auto const whole = a_training_model<exact>(1);
  auto model = a_training_model<exact>(2, head_weights);
  for (auto const& tensor : model.layout().tensors())
    std::ranges::copy(whole.parameters().tensor(tensor.name),
                      model.parameters().tensor(tensor.name).begin());
  return model;
}

void check_sum_of_alone(index_t accumulate) {
  named_values expected;
  for (std::size_t head = 0; head < 3; ++head) {
    std::array<double, 3> alone{};
    alone[head] = weights[head];
    add(expected, gradient_of(with_heads(alone), accumulate));
  }
  auto const sum = gradient_of(a_training_model<exact>(2), accumulate);
  CHECK(sum.size() == expected.size());
  auto const largest = compare(sum, expected);
  CHECK(largest.first <= 1e-12);
  CHECK(largest.second > 1e-3);
}

}  // namespace

TEST_CASE("a step of heads that see different patches has the sum of their own gradients") {
  check_sum_of_alone(1);
  check_sum_of_alone(2);
}

TEST_CASE("heads that see different patches: the same bits for any threads, and exact resumes") {
  using backend = mae::eigen_backend<float>;
  labelled_images const images(60);
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("training.safetensors");
  auto first = a_training_model<backend>(1);
  mae::trainer one(first, images, options(2));
  one.step();
  mae::save_training(path, one);
  one.run();
  auto second = a_training_model<backend>(3);
  mae::trainer three(second, images, options(2));
  three.run();
  CHECK(mae_test::state_of(three) == mae_test::state_of(one));
  auto third = a_training_model<backend>(2);
  mae::trainer resumed(third, images, options(2));
  resumed.step();
  resumed.step();
  mae::load_training(path, resumed);
  resumed.run();
  CHECK(mae_test::state_of(resumed) == mae_test::state_of(one));
}

TEST_CASE("a training's file says each head's mask, and goes on with those alone") {
  using backend = mae::eigen_backend<float>;
  labelled_images const images(60);
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("training.safetensors");
  auto model = a_training_model<backend>(2);
  mae::trainer saved(model, images, options(2));
  saved.step();
  mae::save_training(path, saved);
  auto const said = mae::safetensors_file::load(path).metadata();
  CHECK(said.at("mask") == "of_each_head");
  CHECK(said.at("decoder.mask_ratio") == "0.75");
  CHECK(said.at("classifier.mask") == "none");
  auto const refusal = [&](auto painted, auto told) {
    auto other = model_of<masked_heads<backend, decltype(painted), no_mask, decltype(told)>>(
        backend(1), weights, painted, no_mask{}, told);
    mae::trainer training(other, images, options(2));
    return refusal_of<mae::config_error>([&] { mae::load_training(path, training); });
  };
  CHECK(refusal(uniform_mask<>(0.5), no_mask{}) ==
        path + ": decoder.mask_ratio is 0.75 in the file, but 0.5 here");
  CHECK(refusal(uniform_mask<>(0.75), uniform_mask<>(0.75)) ==
        path + ": classifier.mask is none in the file, but uniform here");
}

TEST_CASE("heads whose masks are the same share a pass, and the bits of one mask for all") {
  using backend = mae::eigen_backend<float>;
  using of_each = masked_heads<backend, uniform_mask<>, uniform_mask<>, uniform_mask<>>;
  using of_all = mae_test::three_heads<backend>;
  auto each = model_of<of_each>(
      backend(2), weights, uniform_mask<>(0.5), uniform_mask<>(0.5), uniform_mask<>(0.5));
  mae::autoencoder<mae_test::small_config,
                   uniform_mask<>,
                   backend,
                   mae::normalised_pixels,
                   mae::uniformity,
                   mae::classifier>
      all({.seed = 5,
           .mask = uniform_mask<>(0.5),
           .backend = backend(2),
           .heads = {mae::uniformity{}, mae::classifier{.classes = 4, .start_deviation = 0}},
           .head_weights = weights});
  labelled_images const images(60);
  mae::trainer one(each, images, options(1));
  mae::trainer other(all, images, options(1));
  one.run();
  other.run();
  CHECK(mae_test::state_of(one) == mae_test::state_of(other));
  CHECK(mae::describe_model(each, mae::contents::model) ==
        mae::describe_model(all, mae::contents::model));
  CHECK(mae::evaluate_heldout(each, images).loss == mae::evaluate_heldout(all, images).loss);

  mae::per_head_mask<uniform_mask<>, no_mask, uniform_mask<>> const mask(
      uniform_mask<>(0.5), no_mask{}, uniform_mask<>(0.5));
  using heads = std::bitset<3>;
  CHECK(mae::passes_of(mask, heads(0b111)) == std::vector{heads(0b101), heads(0b010)});
  CHECK(mae::passes_of(mask, heads(0b110)) == std::vector{heads(0b100), heads(0b010)});
  CHECK(mae::passes_of(uniform_mask<>(0.5), heads(0b111)) == std::vector{heads(0b111)});
  static_assert(std::is_same_v<of_all::network_type, of_each::network_type>);
}

namespace {

/// Says of the first head that its plans are those of a later one.
struct backward_mask : no_mask {
  static std::size_t plans_as(std::size_t head) { return head == 0 ? 1 : head; }
  static mae::settings_list settings_of(std::size_t /*head*/) { return {}; }
};
static_assert(mae::MaskPerHead<backward_mask>);

}  // namespace

TEST_CASE("a policy that would leave a head without a pass is refused") {
  CHECK_THROWS_AS(mae::passes_of(backward_mask(), std::bitset<2>(0b11)), mae::config_error);
  CHECK_NOTHROW(mae::passes_of(backward_mask(), std::bitset<2>(0b10)));
}

TEST_CASE("held-out losses of heads that see different patches are those of each alone") {
  labelled_images const images(40);
  double sum = 0;
  for (std::size_t head : {0U, 2U}) {
    std::array<double, 3> alone{};
    alone[head] = weights[head];
    auto model = with_heads(alone);
    model.set_statistics(mae::channel_statistics(images, model.backend().threads()));
    sum += mae::evaluate_heldout(model, images).loss;
  }
  auto both = with_heads({weights[0], 0, weights[2]});
  both.set_statistics(mae::channel_statistics(images, both.backend().threads()));
  CHECK(mae::evaluate_heldout(both, images).loss == doctest::Approx(sum).epsilon(1e-12));
}
