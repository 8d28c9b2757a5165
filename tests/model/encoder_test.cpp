#include "forked_child.hpp"
#include "model_images.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/memory_dataset.hpp>
#include <mae/mask/plan.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/configs.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/encoder_of.hpp>
#include <mae/model/pooling.hpp>
#include <mae/model/reconstruction.hpp>
#include <mae/network/encoder_pass.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/parameters.hpp>
#include <mae/network/shard.hpp>
#include <mae/network/weights.hpp>
#include <mae/patch/patchify.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using mae::index_t;
using mae::pooling;
using mae_test::odd_config;

using backend = mae::eigen_backend<float>;
using encoder_type = mae::encoder<odd_config, backend>;

static_assert(encoder_type::width == 20);
// A reference through which parameters change would leave what products read as it was.
static_assert(std::is_same_v<decltype(std::declval<encoder_type&>().parameters()),
                             mae::parameter_block<backend> const&>);
static_assert(encoder_type::num_tokens == 13);
static_assert(encoder_type::feature_width(pooling::class_token) == 20);
static_assert(encoder_type::feature_width(pooling::mean) == 20);
static_assert(encoder_type::feature_width(pooling::both) == 40);

/// More images than a shard holds, so that they are cut.
constexpr index_t count = 45;
static_assert(count > 2 * backend::shards.images_of(encoder_type::num_tokens));

std::vector<float> images() {
  return mae_test::random_images(odd_config, count, 1);
}

/// Token `token` of image `image`, of all tokens (n, N + 1, D).
std::span<float const> token_of(std::vector<float> const& tokens, index_t image, index_t token) {
  auto const width = static_cast<std::size_t>(encoder_type::width);
  return std::span(tokens).subspan(
      static_cast<std::size_t>(image * encoder_type::num_tokens + token) * width, width);
}

/// One image's tokens, straight from the network.
std::vector<float> tokens_by_network(encoder_type const& encoder, std::span<float const> image) {
  mae_test::cut_images const patches(odd_config, image);
  mae::shard_rows shard;
  shard.assign(mae::mask_plan::all_visible(1, odd_config.num_patches()), 0, 1);
  using network_type = mae::network_pass<backend>;
  network_type::parts_type const parts{odd_config, encoder.norm_epsilon()};
  network_type network(encoder.backend().make_lane(), parts, mae::pass_kind::inference);
  auto const weights =
      mae::bind_network<float const>(encoder.layout(), parts, encoder.parameters().values().data());
  mae::prepared_weights<backend> prepared(mae::pass_kind::inference);
  auto const tokens = network.encode(
      prepared.update(parts, weights, encoder.backend()).encoder, shard, patches.all());
  return {tokens.data, tokens.data + tokens.size()};
}

constexpr mae::model_config with_depth(index_t depth) {
  auto config = odd_config;
  config.encoder.depth = depth;
  return config;
}

/// The tensors of a shallower encoder, from one that has more blocks.
template <class Whole, class Cut>
void copy_what_it_has(Whole const& whole, Cut& cut) {
  std::vector<float> values(static_cast<std::size_t>(cut.layout().size()));
  for (auto const& tensor : cut.layout().tensors())
    std::ranges::copy(whole.parameters().tensor(tensor.name), values.begin() + tensor.offset);
  cut.set_parameters(values);
}

bool close(std::span<float const> a, std::span<float const> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](float x, float y) {
    return std::abs(x - y) <= 1e-5F;
  });
}

}  // namespace

TEST_CASE("an encoder's tokens are the network's of the unmasked image, image by image") {
  encoder_type const encoder(2);
  auto const given = images();
  auto const tokens = encoder.tokens(given);
  REQUIRE(std::ssize(tokens) == count * 13 * 20);
  auto const values = static_cast<std::size_t>(odd_config.image.values());
  for (index_t const image : {index_t{0}, index_t{19}, index_t{20}, count - 1}) {
    auto const expected = tokens_by_network(
        encoder, std::span(given).subspan(static_cast<std::size_t>(image) * values, values));
    auto const first = tokens.begin() + image * 13 * 20;
    CHECK(close({first, first + 13 * 20}, expected));
  }
}

TEST_CASE("features are the class token, the mean of the patches' tokens, or both") {
  encoder_type const encoder(3);
  auto const given = images();
  auto const tokens = encoder.tokens(given);
  auto const class_tokens = encoder.features(given, pooling::class_token);
  auto const means = encoder.features(given, pooling::mean);
  auto const both = encoder.features(given, pooling::both);
  REQUIRE(std::ssize(class_tokens) == count * 20);
  REQUIRE(std::ssize(means) == count * 20);
  REQUIRE(std::ssize(both) == count * 40);
  for (index_t image = 0; image < count; ++image) {
    std::vector<float> mean(20);
    for (index_t token = 1; token < 13; ++token)
      for (std::size_t i = 0; i < 20; ++i) mean[i] += token_of(tokens, image, token)[i] / 12;
    auto const pooled = std::span(both).subspan(static_cast<std::size_t>(image) * 40, 40);
    CHECK(close(pooled.first(20), token_of(tokens, image, 0)));
    CHECK(close(pooled.last(20), mean));
    auto const alone = static_cast<std::size_t>(image) * 20;
    CHECK(std::ranges::equal(pooled.first(20), std::span(class_tokens).subspan(alone, 20)));
    CHECK(std::ranges::equal(pooled.last(20), std::span(means).subspan(alone, 20)));
  }
}

TEST_CASE("after each block the features are those of an encoder that ends there") {
  static constexpr auto deep = with_depth(3);
  mae::encoder<deep> whole(7, backend(2));
  std::vector<float> values(whole.parameters().values().begin(), whole.parameters().values().end());
  auto const& bias = whole.layout().find("norm.bias");
  values[static_cast<std::size_t>(bias.offset)] = 0.5F;  // a final norm that can be missed
  whole.set_parameters(values);
  auto const pixels = images();
  mae::memory_dataset<float> const dataset(pixels, {.extent = deep.image});
  for (auto const place : {mae::norm_place::tokens, mae::norm_place::pooled}) {
    whole.set_final_norm(place);
    auto const both = whole.features(dataset, pooling::both, {2, 3});
    REQUIRE(std::ssize(both) == count * 2 * 40);
    auto const after = [&](index_t block) {
      std::vector<float> own;
      for (index_t image = 0; image < count; ++image) {
        auto const first = both.begin() + (image * 2 + block - 2) * 40;
        own.insert(own.end(), first, first + 40);
      }
      return own;
    };
    CHECK(after(3) == whole.features(dataset, pooling::both));
    mae::encoder<with_depth(2)> cut(0);
    copy_what_it_has(whole, cut);
    cut.set_final_norm(place);
    CHECK(after(2) == cut.features(dataset, pooling::both));
    CHECK(after(2) == whole.features(dataset, pooling::both, {2, 2}));
    CHECK(after(2) != after(3));
  }
}

TEST_CASE("the tokens after each block are those whose features are") {
  encoder_type const encoder(8, backend(3));
  mae::memory_dataset<float> const dataset(images(), {.extent = odd_config.image});
  auto const features = encoder.features(dataset, pooling::class_token, {1, 2});
  std::vector<float> seen(features.size());
  encoder.encode_blocks(
      dataset, {1, 2}, [&](index_t image, index_t block, mae::matrix_view<float const> tokens) {
        CHECK(tokens.rows == 13);
        std::copy_n(tokens.data, 20, seen.begin() + ((image * 2) + block - 1) * 20);
      });
  CHECK(seen == features);
}

TEST_CASE("blocks that an encoder has not are refused") {
  encoder_type const encoder(8);
  mae::memory_dataset<float> const dataset(images(), {.extent = odd_config.image});
  for (mae::block_range const blocks : {mae::block_range{0, 1}, {1, 3}, {2, 1}})
    CHECK_THROWS_AS(encoder.features(dataset, pooling::mean, blocks), mae::config_error);
  CHECK_THROWS_WITH(encoder.features(dataset, pooling::mean, {3, 3}),
                    "blocks 3 to 3 of an encoder whose blocks are 1 to 2");
}

TEST_CASE("features do not depend on threads, nor on who else uses the encoder") {
  auto const given = images();
  auto const expected = encoder_type(4, backend(1)).features(given, pooling::both);
  encoder_type const shared(4, backend(3));
  std::vector<std::vector<float>> seen(3);
  std::vector<std::thread> users;
  for (auto& features : seen)
    users.emplace_back([&] { features = shared.features(given, pooling::both); });
  for (auto& user : users) user.join();
  for (auto const& features : seen) CHECK(features == expected);
}

TEST_CASE_TEMPLATE("an image whose products are shared by all threads has the same features",
                   O,
                   float,
                   mae::bfloat16) {
  constexpr auto config = mae::configs::tiny4;  // large enough that products are cut
  using type = mae::encoder<config, mae::eigen_backend<O>>;
  auto const image = mae_test::random_images(config, 1, 2);
  auto const expected = type(4, mae::eigen_backend<O>(1)).features(image, pooling::both);
  CHECK(type(4, mae::eigen_backend<O>(3)).features(image, pooling::both) == expected);
}

TEST_CASE("features of few images, which all threads share, are the same bits") {
  auto const given = images();
  auto const expected = encoder_type(4, backend(1)).features(given, pooling::mean);
  encoder_type const shared(4, backend(4));
  auto const values = static_cast<std::size_t>(odd_config.image.values());
  std::vector<std::vector<float>> seen(3);
  std::vector<std::thread> users;
  for (std::size_t user = 0; user < seen.size(); ++user)
    users.emplace_back([&, user] {
      seen[user] = shared.features(std::span(given).subspan(user * values, values), pooling::mean);
    });
  for (auto& user : users) user.join();
  for (std::size_t user = 0; user < seen.size(); ++user)
    CHECK(std::ranges::equal(seen[user], std::span(expected).subspan(user * 20, 20)));
}

TEST_CASE("a dataset's features are those of its images in scaled units, normalised") {
  std::vector<std::uint8_t> stored;
  for (index_t i = 0; i < 3 * odd_config.image.values(); ++i)
    stored.push_back(static_cast<std::uint8_t>(i * 37 % 256));
  mae::memory_dataset<std::uint8_t> const dataset(stored, {.extent = odd_config.image});
  mae::pixel_statistics const statistics{{0.5, 0.4, 0.3, 0.2}, {0.2, 0.25, 0.5, 1.0}, 1.0 / 255};

  encoder_type encoder(5);
  encoder_type const plain(5);
  encoder.set_statistics(statistics);
  std::vector<float> scaled;
  std::vector<float> normalised;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    double const value = stored[i] / 255.0;
    scaled.push_back(static_cast<float>(value));
    normalised.push_back(
        static_cast<float>((value - statistics.mean[i % 4]) / statistics.deviation[i % 4]));
  }
  auto const features = encoder.features(dataset, pooling::mean);
  CHECK(close(features, encoder.features(scaled, pooling::mean)));
  CHECK(close(features, plain.features(normalised, pooling::mean)));
  CHECK_FALSE(close(features, plain.features(dataset, pooling::mean)));
}

TEST_CASE("a copy of a model's encoder has its values, statistics and epsilon") {
  mae::autoencoder<odd_config> model({.seed = 6, .norm_epsilon = 1e-3});
  for (float& value : model.parameters().tensor("norm.bias")) value = 0.5F;
  model.set_statistics({{0, 0, 0, 0}, {1, 1, 1, 2}, 1.0});
  auto const copy = mae::encoder_of(model);
  CHECK(copy.norm_epsilon() == 1e-3);
  CHECK(copy.statistics() == model.statistics());
  for (auto const& tensor : copy.layout().tensors())
    CHECK(std::ranges::equal(copy.parameters().tensor(tensor.name),
                             std::as_const(model).parameters().tensor(tensor.name)));
}

TEST_CASE("an untrained encoder has the values that an autoencoder of its seed begins with") {
  auto const copy = mae::encoder_of(mae::autoencoder<odd_config>({.seed = 7}));
  CHECK(std::ranges::equal(copy.parameters().values(), encoder_type(7).parameters().values()));
}

TEST_CASE("features follow the parameters") {
  encoder_type encoder(7);
  encoder_type const other(8);
  auto const given = images();
  auto const before = encoder.features(given, pooling::mean);
  encoder.set_parameters(other.parameters().values());
  CHECK(encoder.features(given, pooling::mean) != before);
  CHECK(encoder.features(given, pooling::mean) == other.features(given, pooling::mean));
  auto const values = other.parameters().values();
  CHECK_THROWS_AS(encoder.set_parameters(values.first(values.size() - 1)), mae::config_error);
  CHECK(encoder.features(given, pooling::mean) == other.features(given, pooling::mean));
}

TEST_CASE("statistics and an epsilon that cannot be are refused, and change nothing") {
  encoder_type encoder(5);
  auto const before = encoder.features(images(), pooling::mean);
  CHECK_THROWS_WITH_AS(encoder.set_statistics({{0.5, 0.5, 0.5}, {1, 1, 1}, 1}),
                       "pixel statistics: 3 means and 3 deviations for images of 4 channels",
                       mae::config_error);
  CHECK_THROWS_AS(encoder.set_statistics({{0, 0, 0, 0}, {1, 1, 0, 1}, 1}), mae::config_error);
  CHECK_THROWS_AS(encoder.set_norm_epsilon(0), mae::config_error);
  CHECK_THROWS_AS(encoder.set_norm_epsilon(std::numeric_limits<double>::infinity()),
                  mae::config_error);
  CHECK_THROWS_AS(encoder_type(5, backend{}, std::numeric_limits<double>::quiet_NaN()),
                  mae::config_error);
  CHECK(encoder.features(images(), pooling::mean) == before);
}

TEST_CASE("an encoder made before a fork has the same bits after it") {
  encoder_type const encoder(9, backend(3));
  auto const given = images();
  auto const one = std::span(given).first(static_cast<std::size_t>(odd_config.image.values()));
  auto const expected = encoder.features(given, pooling::both);
  auto const expected_one = encoder.features(one, pooling::both);
  CHECK(mae_test::holds_in_child([&] {
    return encoder.features(given, pooling::both) == expected &&
           encoder.features(one, pooling::both) == expected_one;
  }));
}

TEST_CASE("images cut short and datasets of other images are refused") {
  encoder_type const encoder;
  auto const given = images();
  CHECK_THROWS_WITH_AS(encoder.tokens(std::span(given).first(1681)),
                       "1681 values are no whole number of images of 1680 values",
                       mae::config_error);
  CHECK_THROWS_AS(encoder.features(std::span(given).first(1), pooling::mean), mae::config_error);
  mae::memory_dataset<float> const other(std::vector<float>(20 * 20 * 4),
                                         {.extent = {.height = 20, .width = 20, .channels = 4}});
  CHECK_THROWS_WITH_AS(encoder.features(other, pooling::mean),
                       "the dataset's images have another extent than the encoder's",
                       mae::config_error);
  CHECK(encoder.tokens({}).empty());
}

TEST_CASE(
    "features of chosen patches depend on these alone, and of all patches are the usual ones") {
  encoder_type const encoder(3);
  auto given = images();
  mae::image_extent const extent = odd_config.image;
  index_t const patches = odd_config.num_patches();
  mae::block_range const last{odd_config.encoder.depth, odd_config.encoder.depth};
  auto const set = [&](std::vector<float> const& pixels) {
    return mae::memory_dataset<float>(pixels, {.extent = extent});
  };
  // Image i sees 1 + i % N patches: those whose brightest value is least, of pixels as they are.
  mae::see_patches const some =
      [&](index_t image, mae::matrix_view<float const> of, mae::mask_plan& plan, index_t at) {
        std::vector<float> scores;
        for (index_t i = 0; i < of.rows; ++i)
          scores.push_back(*std::ranges::max_element(of.row(i)));
        index_t const visible = 1 + image % patches;
        plan.assign(at, {visible, patches - visible}, scores);
      };
  mae::see_patches const all =
      [&](index_t, mae::matrix_view<float const>, mae::mask_plan& plan, index_t at) {
        plan.assign(at, {patches, 0}, std::vector<float>(static_cast<std::size_t>(patches)));
      };
  auto const usual = encoder.features(set(given), pooling::both, last);
  CHECK(encoder.features(set(given), pooling::both, last, &all) == usual);
  auto const seen = encoder.features(set(given), pooling::both, last, &some);
  CHECK(seen != usual);

  // Hidden patches that grow brighter change nothing; a visible one that darkens does.
  auto const values = static_cast<std::size_t>(extent.values());
  std::vector<float> cut(values);
  for (index_t image = 0; image < count; ++image) {
    auto const own = std::span(given).subspan(static_cast<std::size_t>(image) * values, values);
    mae::matrix_view<float> const rows(cut.data(), patches, odd_config.patch_values());
    mae::patchify(std::span<float const>(own), extent, odd_config.patch, rows);
    mae::mask_plan plan(1, patches);
    some(image, rows, plan, 0);
    for (auto const patch : plan.target(0))
      for (float& value : rows.row(patch)) value += 3;
    mae::unpatchify(mae::matrix_view<float const>(rows), extent, odd_config.patch, own);
  }
  CHECK(encoder.features(set(given), pooling::both, last, &some) == seen);
  for (float& value : given) value -= 0.25F;
  CHECK(encoder.features(set(given), pooling::both, last, &some) != seen);
}
