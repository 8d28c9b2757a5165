#include "model_images.hpp"
#include "padded_matrix.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/painter.hpp>
#include <mae/mask/plan.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/shard.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <tuple>
#include <vector>

namespace {

using mae::index_t;
using mae::matrix_view;
using mae::pass_kind;
using mae_test::cut_images;
using mae_test::odd_config;

using backend = mae::eigen_backend<float>;
using pass_type = mae::painter_network<backend>;

/// A model, three images of different masks, and passes over some of them.
struct scene {
  mae::autoencoder<odd_config> model{{.seed = 1, .backend = backend(1)}};
  pass_type::prepared_type prepared{pass_kind::inference};
  pass_type::operands_type operands =
      prepared.update(model.sizes(), model.weights(), model.backend());
  std::vector<float> images = mae_test::random_images(odd_config, 3, 1);
  cut_images patches{odd_config, images};
  mae::mask_plan plan = mae_test::random_plan(odd_config, {{3, 9}, {2, 5}, {8, 2}}, 2);

  mae::shard_rows shard(index_t first, index_t last) const {
    mae::shard_rows rows;
    rows.assign(plan, first, last);
    return rows;
  }
  /// What a pass predicts of images [first, last): (M, P).
  std::vector<float> predict(pass_type& pass, index_t first, index_t last) const {
    auto const rows = patches.all().middle_rows(first * 12, (last - first) * 12);
    auto const rows_in = shard(first, last);
    mae::shard_view const in = rows_in.view();
    pass.encode(operands.encoder, in, rows);
    auto const predicted = pass.head<0>().predict(pass.input_of(in), std::get<0>(operands.heads));
    return {predicted.data, predicted.data + predicted.size()};
  }
};

std::vector<float> joined(std::vector<float> a, std::vector<float> const& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

double largest_difference(std::vector<float> const& a, std::vector<float> const& b) {
  return mae_test::largest_difference(matrix_view<float const>(a.data(), 1, std::ssize(a)),
                                      matrix_view<float const>(b.data(), 1, std::ssize(b)));
}

}  // namespace

TEST_CASE("inference, which keeps one block's activations, predicts what training does") {
  scene const given;
  pass_type inference(given.model.backend().make_lane(), given.model.sizes(), pass_kind::inference);
  pass_type training(given.model.backend().make_lane(), given.model.sizes(), pass_kind::training);
  CHECK(given.predict(inference, 0, 3) == given.predict(training, 0, 3));
}

TEST_CASE("shards of any size, in any order, give each image the same prediction") {
  scene const given;
  pass_type pass(given.model.backend().make_lane(), given.model.sizes(), pass_kind::training);
  auto const last = given.predict(pass, 2, 3);
  auto const all = given.predict(pass, 0, 3);  // larger than before: the memory grows
  auto const first = given.predict(pass, 0, 2);
  CHECK(largest_difference(joined(first, last), all) <= 1e-5);
  CHECK(given.predict(pass, 2, 3) == last);
}

TEST_CASE("a pass that has room for a shard keeps its memory") {
  scene const given;
  pass_type pass(given.model.backend().make_lane(), given.model.sizes(), pass_kind::training);
  pass.fit(mae::shard_capacity::bound(odd_config, 3, 8));
  auto const* const memory = pass.head<0>().prediction(given.shard(0, 1)).data;
  for (index_t image = 0; image < 3; ++image) {
    given.predict(pass, image, image + 1);
    CHECK(pass.head<0>().prediction(given.shard(image, image + 1)).data == memory);
  }
}

TEST_CASE(
    "the memory that a pass has grown to holds every shard seen, though none covers the other") {
  scene const given;
  pass_type pass(given.model.backend().make_lane(), given.model.sizes(), pass_kind::training);
  given.predict(pass, 1, 2);  // fewer visible patches
  given.predict(pass, 2, 3);  // fewer targets
  auto const* const memory = pass.head<0>().prediction(given.shard(2, 3)).data;
  given.predict(pass, 1, 2);
  CHECK(pass.head<0>().prediction(given.shard(1, 2)).data == memory);
}

TEST_CASE("a pass's prediction stays readable until the next pass") {
  scene const given;
  pass_type pass(given.model.backend().make_lane(), given.model.sizes(), pass_kind::inference);
  auto const predicted = given.predict(pass, 0, 2);
  auto const kept = pass.head<0>().prediction(given.shard(0, 2));
  CHECK(kept.rows == 14);
  CHECK(kept.cols == 140);
  CHECK(std::vector<float>(kept.data, kept.data + kept.size()) == predicted);
}

TEST_CASE("an encoder alone gives the same tokens to an image, whatever shard it is in") {
  scene const given;
  mae::network_pass<backend> encoder(
      given.model.backend().make_lane(), {odd_config}, pass_kind::inference);
  auto const encode = [&](index_t first, index_t last) {
    auto const rows = given.patches.all().middle_rows(first * 12, (last - first) * 12);
    auto const tokens = encoder.encode(given.operands.encoder, given.shard(first, last), rows);
    CHECK(tokens.cols == 20);
    return std::vector<float>(tokens.data, tokens.data + tokens.size());
  };
  auto const last = encode(2, 3);
  auto const all = encode(0, 3);
  CHECK(std::ssize(all) == (4 + 3 + 9) * 20);
  CHECK(largest_difference(joined(encode(0, 2), last), all) <= 1e-5);
}
