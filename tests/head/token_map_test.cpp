#include "editable_file.hpp"
#include "model_images.hpp"
#include "network_of_heads.hpp"
#include "padded_matrix.hpp"
#include "token_map_reference.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/annotation.hpp>
#include <mae/data/resize.hpp>
#include <mae/head/classifier.hpp>
#include <mae/head/keypoints.hpp>
#include <mae/head/segmenter.hpp>
#include <mae/head/token_map.hpp>
#include <mae/network/head.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/objective/sample.hpp>
#include <mae/op/heat_map_loss.hpp>
#include <mae/op/token_maps.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

namespace {

namespace reference = token_map_reference;
using mae::index_t;
using mae::keypoints;
using mae::map_decoder;
using mae::segmenter;
using mae_test::network_of;
using mae_test::odd_config;

constexpr mae::map_resize four_times{{2, 3}, {8, 12}, 1};

segmenter a_segmenter(map_decoder decoder, index_t upsampling = 0) {
  return segmenter{.classes = 3, .decoder = decoder, .upsampling = upsampling}.fitted(odd_config);
}
keypoints two_points(map_decoder decoder, index_t upsampling = 0) {
  return keypoints{.points = 2, .decoder = decoder, .upsampling = upsampling}.fitted(odd_config);
}

/// A convolution's kernel (K, D, 3, 3) applied to rectified tokens, as the layer of a token_map
/// does it: for each token, tap by tap, K values.
std::vector<double> values_of_taps() {
  std::vector<double> values;
  for (index_t token = 0; token < 12; ++token)
    for (index_t tap = 0; tap < 9; ++tap)
      for (index_t map = 0; map < 2; ++map) {
        double sum = 0;
        for (index_t d = 0; d < 4; ++d)
          sum += std::max(reference::tokens[static_cast<std::size_t>(4 * token + d)], 0.0) *
                 reference::kernel[static_cast<std::size_t>(9 * (4 * map + d) + tap)];
        values.push_back(sum);
      }
  return values;
}

/// What a segmenter makes of a mask, seen as `view`.
std::vector<float> pixel_labels(segmenter const& head,
                                mae::annotation const& said,
                                mae::image_crop const& view) {
  std::vector<float> labels(static_cast<std::size_t>(head.pixels.size()));
  mae::image_sample<float> const image{
      .config = odd_config, .patches = {}, .targets = {}, .said = &said, .view = view};
  head.label(image, mae::matrix_view<float>(labels.data(), head.pixels.size(), 1));
  return labels;
}

mae::annotation counted_mask() {
  mae::annotation said;
  said.mask.resize(static_cast<std::size_t>(odd_config.image.pixels()));
  for (std::size_t i = 0; i < said.mask.size(); ++i)
    said.mask[i] = static_cast<std::uint8_t>(i % 3 == 2 ? mae::unlabelled_pixel : i % 3);
  return said;
}

mae::image_crop whole(bool mirrored = false) {
  return {.box = {.height = odd_config.image.height, .width = odd_config.image.width},
          .mirrored = mirrored};
}

template <class H>
std::string refusal(H const& head) {
  return refusal_of<mae::config_error>([&] {
    mae::layout_of(mae::network_parts<H>{odd_config, 1e-6, {head}});
  });
}

}  // namespace

static_assert(mae::HeadOn<segmenter, mae::eigen_lane<float>>);
static_assert(mae::HeadOn<segmenter, mae::eigen_lane<mae::bfloat16>>);
static_assert(mae::HeadOn<keypoints, mae::eigen_lane<mae::bfloat16>>);

TEST_CASE("a layer before interpolation is a convolution after it, as PyTorch has it") {
  auto const values = values_of_taps();
  std::vector<double> maps(reference::maps.size());
  mae::resample_maps_forward(mae::eigen_lane<double>(),
                             four_times,
                             {values.data(), 12, 18},
                             mae::matrix_view<double>(maps.data(), 2 * 96, 2));
  for (std::size_t i = 0; i < maps.size(); ++i)
    CHECK(maps[i] == doctest::Approx(reference::maps[i]).epsilon(1e-12));
}

TEST_CASE("a heat map's loss is PyTorch's divergence from a Gaussian") {
  std::vector<double> labels;
  for (std::size_t i = 0; i < reference::points.size(); i += 2)
    labels.insert(labels.end(), {reference::points[i], reference::points[i + 1], 1.0});
  std::vector<double> losses(4);
  mae::matrix_view<double const> const wanted(labels.data(), 4, mae::heat_map_label_width);
  mae::heat_map_loss_forward(mae::eigen_lane<double>(),
                             {four_times.to, 1.5},
                             {reference::maps.data(), 2 * 96, 2},
                             wanted,
                             std::span<double>(losses));
  for (std::size_t i = 0; i < losses.size(); ++i)
    CHECK(losses[i] == doctest::Approx(reference::losses[i]).epsilon(1e-6));

  std::vector<double> const nothing(2 * 96 * 2);
  mae::heat_map_loss_forward(mae::eigen_lane<double>(),
                             {four_times.to, 1.5},
                             {nothing.data(), 2 * 96, 2},
                             wanted,
                             std::span<double>(losses));
  keypoints head{.points = 2, .upsampling = 4, .grid = four_times.from};
  CHECK(head.loss_of_zero(wanted) ==
        doctest::Approx(std::accumulate(losses.begin(), losses.end(), 0.0)).epsilon(1e-12));
}

TEST_CASE("R1: a segmenter's gradient, of both decoders and any fineness") {
  for (auto const decoder : {map_decoder::linear, map_decoder::convolution})
    for (index_t const upsampling : {0, 2, 5}) {
      CAPTURE(mae::name_of(decoder));
      CAPTURE(upsampling);
      network_of<segmenter> network(a_segmenter(decoder, upsampling));
      mae_test::check_gradients(network);
    }
}

TEST_CASE("R1: keypoints' gradient") {
  for (auto const decoder : {map_decoder::linear, map_decoder::convolution}) {
    CAPTURE(mae::name_of(decoder));
    network_of<keypoints> network(two_points(decoder, 3));
    mae_test::check_gradients(network);
  }
}

TEST_CASE("R1: three heads on one encoder, each with a weight of its own") {
  network_of<mae::classifier, segmenter, keypoints> network(
      {.encoder_width = odd_config.encoder.width, .classes = 4},
      a_segmenter(map_decoder::convolution),
      two_points(map_decoder::convolution));
  network.factors = {1.0, 0.25, 3.0};
  mae_test::check_gradients(network);
}

TEST_CASE("a mask follows the image's crop and mirror") {
  auto const head = a_segmenter(map_decoder::linear);
  auto const said = counted_mask();
  index_t const width = odd_config.image.width;
  auto const as_it_is = pixel_labels(head, said, whole());
  auto const mirrored = pixel_labels(head, said, whole(true));
  auto const corner = pixel_labels(head, said, {.box = {10, 14, 10, 7}});  // enlarged by 2 and 3
  for (index_t row = 0; row < odd_config.image.height; ++row)
    for (index_t column = 0; column < width; ++column) {
      auto const at = static_cast<std::size_t>(row * width + column);
      auto const value = said.mask[at];
      CHECK(as_it_is[at] == (value == mae::unlabelled_pixel ? -1.0F : value));
      CHECK(mirrored[at] == as_it_is[static_cast<std::size_t>(row * width + width - 1 - column)]);
      CHECK(corner[at] ==
            as_it_is[static_cast<std::size_t>((10 + row / 2) * width + 14 + column / 3)]);
    }
}

TEST_CASE("an image without a mask is not learnt from") {
  auto const head = a_segmenter(map_decoder::linear);
  auto const labels = pixel_labels(head, {}, whole());
  CHECK(std::ranges::all_of(labels, [](float label) { return label == -1.0F; }));
  CHECK(head.num_counted(mae::matrix_view<float const>(labels.data(), std::ssize(labels), 1)) == 0);
}

TEST_CASE("points follow the image's crop; in a mirror pairs take each other's place") {
  auto head = two_points(map_decoder::convolution, 5);  // a map of 20 x 15 of the image's 20 x 21
  head.partners = {1, 0};
  mae::annotation const said{.mask = {}, .points = {{10.5F, 4.0F, true}, {18.0F, 19.0F, true}}};
  auto const labels = [&](mae::image_crop const& view) {
    std::vector<float> rows(6);
    mae::image_sample<float> const image{
        .config = odd_config, .patches = {}, .targets = {}, .said = &said, .view = view};
    head.label(image, mae::matrix_view<float>(rows.data(), 2, 3));
    return rows;
  };
  CHECK(labels(whole()) == std::vector<float>{10.5F * 15 / 21, 4, 1, 18.0F * 15 / 21, 19, 1});
  CHECK(labels(whole(true)) ==
        std::vector<float>{15 - 18.0F * 15 / 21, 19, 1, 15 - 10.5F * 15 / 21, 4, 1});
  CHECK(labels({.box = {2, 7, 10, 7}}) == std::vector<float>{7.5F, 4, 1, 0, 0, 0});
}

TEST_CASE("places in patches that the encoder does not see are not learnt from") {
  auto const said = counted_mask();
  auto const segments = a_segmenter(map_decoder::linear);
  auto const whole_labels = pixel_labels(segments, said, whole());
  std::vector<mae::patch_index> const visible{1, 4};  // of 4 rows of 3, of 5x7 pixels
  std::vector<float> labels(whole_labels.size());
  mae::image_sample<float> image{.config = odd_config,
                                 .patches = {},
                                 .targets = {},
                                 .visible = visible,
                                 .said = &said,
                                 .view = whole()};
  segments.label(image, mae::matrix_view<float>(labels.data(), std::ssize(labels), 1));
  for (index_t row = 0; row < odd_config.image.height; ++row)
    for (index_t column = 0; column < odd_config.image.width; ++column) {
      auto const at = static_cast<std::size_t>(row * odd_config.image.width + column);
      bool const is_seen = row < 10 && column / 7 == 1;
      CHECK(labels[at] == (is_seen ? whole_labels[at] : -1.0F));
    }

  auto const points = two_points(map_decoder::convolution, 5);
  mae::annotation const two{.mask = {}, .points = {{10.5F, 4.0F, true}, {18.0F, 19.0F, true}}};
  image.said = &two;
  std::vector<float> rows(6);
  points.label(image, mae::matrix_view<float>(rows.data(), 2, 3));
  CHECK(rows == std::vector<float>{10.5F * 15 / 21, 4, 1, 0, 0, 0});
}

TEST_CASE("masks and points that do not fit are refused") {
  auto const head = a_segmenter(map_decoder::linear);
  auto said = counted_mask();
  said.mask[7] = 3;
  CHECK(refusal_of<mae::config_error>([&] { pixel_labels(head, said, whole()); }) ==
        "the mask of image 0 has the value 3, but the segmenter has only 3 classes (255 is for "
        "pixels of none)");
  said.mask.resize(5);
  CHECK(refusal_of<mae::config_error>([&] { pixel_labels(head, said, whole()); }) ==
        "the mask of image 0 has 5 pixels, the image 420");
  CHECK(refusal(segmenter{.classes = 1}.fitted(odd_config)) ==
        "a segmenter needs 2 to 255 classes, not 1");
  CHECK(refusal(segmenter{.classes = 2}) == "a segmenter needs the sizes of its encoder");
  CHECK(refusal_of<mae::config_error>([&] { a_segmenter(map_decoder::convolution, 6); }) ==
        "a map 6 times as fine as the tokens has more cells than the image has pixels: patches are "
        "5x7");
  CHECK(refusal(keypoints{}.fitted(odd_config)) == "a head for keypoints needs a point at least");
  CHECK(refusal(keypoints{.points = 3, .partners = {1, 2, 0}}.fitted(odd_config)) ==
        "point 0 and its mirror partner are not each other's");
}
