#include "editable_file.hpp"
#include "labelled_images.hpp"
#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/head/classifier.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/io/model_file.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/op/pooling.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using backend = mae::eigen_backend<float>;
using model_type = mae_test::three_heads<backend>;
using painter_alone = mae::autoencoder<mae_test::small_config, mae::random_ratio_mask, backend>;

mae_test::labelled_images const& images() {
  static mae_test::labelled_images const painted(60);
  return painted;
}

model_type::parts parts_with(std::array<double, 3> const& weights) {
  auto parts = mae_test::three_heads_parts(backend(2));
  parts.head_weights = weights;
  return parts;
}
/// With another classifier.
template <class Change>
model_type::parts parts_after(Change const& change) {
  auto parts = mae_test::three_heads_parts(backend(2));
  change(std::get<mae::classifier>(parts.heads));
  return parts;
}
model_type::parts pooled_by(mae::pooling pool) {
  return parts_after([&](mae::classifier& head) { head.pool = pool; });
}

struct training {
  explicit training(model_type::parts parts)
      : model(std::move(parts)),
        trainer(model,
                images(),
                mae::training_options{.batch_size = 15, .accumulate = 2, .steps = 8, .lr = 1e-3}) {}

  void take(int steps) {
    for (int i = 0; i < steps; ++i) trainer.step();
  }

  model_type model;
  mae::trainer<model_type, mae_test::labelled_images> trainer;
};

constexpr std::array<double, 3> all{1, 0.5, 0.25};

/// What the file of such a training says to another.
std::string refusal(model_type::parts saved, model_type::parts other) {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("training.safetensors");
  training first(std::move(saved));
  first.take(1);
  mae::save_training(path, first.trainer);
  training second(std::move(other));
  std::string const what =
      refusal_of<mae::config_error>([&] { mae::load_training(path, second.trainer); });
  return what.starts_with(path) ? what.substr(path.size() + 2) : what;
}

}  // namespace

TEST_CASE("a training of several heads goes on bit for bit") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("training.safetensors");
  training whole(parts_with(all));
  whole.take(3);
  mae::save_training(path, whole.trainer);
  whole.take(5);
  training resumed(parts_with(all));
  resumed.take(2);
  mae::load_training(path, resumed.trainer);
  resumed.take(5);
  CHECK(mae_test::state_of(resumed.trainer) == mae_test::state_of(whole.trainer));
}

TEST_CASE("a training goes on with its own heads, their weights and settings alone") {
  std::string const advice = ": a training goes on with its own heads; load_model takes the values";
  std::string const differ = "the training and the model differ in the head ";
  CHECK(refusal(parts_with(all), parts_with({1, 0, 0.25})) == differ + "uniformity" + advice);
  CHECK(refusal(parts_with({1, 0, 0}), parts_with({1, 0.5, 0})) == differ + "uniformity" + advice);
  CHECK(refusal(parts_with(all), parts_with({1, 0.5, 0})) == differ + "classifier" + advice);
  CHECK(refusal(parts_with({1, 0, 0}), parts_with({1, 0, 1})) ==
        "the model has the head classifier, but the file's heads are decoder: load it into a model "
        "without that head");
  CHECK(refusal(parts_with(all), parts_with({1, 0.5, 0.125})) ==
        "classifier.head_weight is 0.25 in the file, but 0.125 here");
  CHECK(refusal(parts_with(all), parts_after([](mae::classifier& head) { head.classes = 5; })) ==
        "classifier.classes is 4 in the file, but 5 here");
  CHECK(refusal(parts_with(all), parts_after([](mae::classifier& head) { head.smoothing = 0; })) ==
        "classifier.smoothing is 0.1 in the file, but 0 here");
}

TEST_CASE("a file of more heads is read, and what was left out is said; one of fewer is refused") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("model.safetensors");
  model_type const saved(parts_with(all));
  mae::save_model(path, saved);
  painter_alone painter({.seed = 9, .mask = saved.mask()});
  CHECK(mae::load_model(path, painter) == std::vector<std::string>{"classifier"});
  for (auto const& tensor : painter.layout().tensors())
    CHECK(mae_test::bits_of(painter.parameters().tensor(tensor.name)) ==
          mae_test::bits_of(saved.parameters().tensor(tensor.name)));
  CHECK_NOTHROW(mae::load_encoder<mae_test::small_config>(path));

  model_type again(parts_with(all));
  CHECK(mae::load_model(path, again).empty());
  mae::save_model(path, painter);
  CHECK(refusal_of<mae::config_error>([&] { mae::load_model(path, again); }) ==
        path +
            ": the model has the head classifier, but the file's heads are decoder: load it "
            "into a model without that head");
}

TEST_CASE("a head whose tensors mean something else does not take a file's") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("model.safetensors");
  mae::save_model(path, model_type(pooled_by(mae::pooling::mean)));
  model_type other(pooled_by(mae::pooling::class_token));  // of the same shapes
  CHECK(refusal_of<mae::config_error>([&] { mae::load_model(path, other); }) ==
        path + ": classifier.pooling is mean in the file, but class_token here");
  model_type unsmoothed(parts_after([](mae::classifier& head) { head.smoothing = 0; }));
  CHECK(mae::load_model(path, unsmoothed).empty());  // which decides nothing but a training
  mae::save_encoder(path, other);
  auto const encoder = mae::safetensors_file::load(path);
  for (auto const& [name, value] : encoder.metadata()) CHECK_FALSE(name.starts_with("classifier"));
}

TEST_CASE("a painter alone says nothing of heads: its files are what they were") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("model.safetensors");
  mae::save_model(path, model_type(parts_with({1, 0, 0})));
  auto const file = mae::safetensors_file::load(path);
  for (auto const& [name, value] : file.metadata()) {
    CHECK(name != "heads");
    CHECK(name.find("head_weight") == std::string::npos);
  }
}
