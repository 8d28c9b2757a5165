#include "picture_answer.hpp"

#include "feature_flags.hpp"
#include "flag_values.hpp"

#include <mae/io/json_writer.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace serve {
namespace {

using mae::index_t;

void append_number(std::string& text, float value) {
  std::array<char, 32> digits{};
  auto const written = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  text.append(digits.data(), written.ptr);
}

/// The features (n, width) of a pooling, from those of both tokens (n, 2 D).
std::vector<float> pooled(std::span<float const> both, std::size_t images, mae::pooling pool) {
  if (pool == mae::pooling::both) return {both.begin(), both.end()};
  std::size_t const width = both.size() / images / 2;
  std::vector<float> features;
  features.reserve(images * width);
  for (std::size_t i = 0; i < images; ++i) {
    auto const own = both.subspan((2 * i + (pool == mae::pooling::mean ? 1 : 0)) * width, width);
    features.insert(features.end(), own.begin(), own.end());
  }
  return features;
}

reply numbers_reply(std::span<float const> values, std::vector<std::size_t> const& shape) {
  auto const bytes = std::as_bytes(values);
  std::string text;
  for (std::size_t const size : shape) (text += text.empty() ? "" : ",") += std::to_string(size);
  return {.content_type = "application/octet-stream",
          // NOLINTNEXTLINE(*-reinterpret-cast): bytes as characters
          .body = {reinterpret_cast<char const*>(bytes.data()), bytes.size()},
          .headers = {{"X-MAE-Shape", text}}};
}

reply features_reply(picture_request const& asked, std::span<float const> values) {
  std::size_t const images = asked.images;
  auto const features = pooled(values, images, asked.pool);
  std::size_t const width = features.size() / images;
  if (asked.as_bytes) return numbers_reply(features, {images, width});
  std::string rows;
  constexpr std::size_t characters = 13;  // of a number, about
  rows.reserve(features.size() * characters);
  for (std::size_t i = 0; i < features.size(); ++i) {
    rows += i == 0 ? "[[" : i % width == 0 ? "],[" : ",";
    append_number(rows, features[i]);
  }
  mae::json_object all;
  all.add("width", width)
      .add("pool", pretrain::word_of(tools::pooling_words, asked.pool))
      .add_json("features", std::move(rows) + "]]");
  return {.body = all.line() + '\n'};
}

std::string best_classes(class_head const& head, std::span<float const> feature, std::size_t top) {
  auto const chances = head.probabilities(feature);
  std::vector<std::size_t> order(chances.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  auto const kept = std::min(top, order.size());
  std::ranges::partial_sort(
      order, order.begin() + static_cast<std::ptrdiff_t>(kept), [&](std::size_t a, std::size_t b) {
        return chances[a] > chances[b] || (chances[a] == chances[b] && a < b);
      });
  std::string list;
  for (std::size_t i = 0; i < kept; ++i)
    (list += i == 0 ? "[" : ",") += mae::json_object()
                                        .add("class", head.names[order[i]])
                                        .add("index", order[i])
                                        .add("probability", chances[order[i]])
                                        .line();
  return list + ']';
}

reply classes_reply(picture_request const& asked,
                    class_head const& head,
                    std::span<float const> values) {
  std::size_t const images = asked.images;
  std::size_t const width = values.size() / images;
  std::string list = "[";
  for (std::size_t i = 0; i < images; ++i)
    (list += i == 0 ? "" : ",") += best_classes(head, values.subspan(i * width, width), asked.top);
  mae::json_object all;
  all.add("classes", head.classes()).add_json("predictions", list + ']');
  return {.body = all.line() + '\n'};
}

std::string json_of(std::vector<neighbour> const& all) {
  std::string list;
  for (auto const& one : all)
    (list += list.empty() ? "[" : ",") += mae::json_object()
                                              .add("index", one.index)
                                              .add("score", one.cosine)
                                              .add("name", one.name)
                                              .line();
  return list + ']';
}

reply neighbours_reply(picture_request const& asked,
                       gallery const& pictures,
                       std::span<float const> values) {
  mae::json_object all;
  all.add("pool", pretrain::word_of(tools::pooling_words, asked.pool))
      .add("gallery", pictures.size())
      .add("version", pictures.version())
      .add_json("neighbours", json_of(pictures.most_like(values, asked.pool, asked.k)));
  return {.body = all.line() + '\n'};
}

reply attention_reply(picture_request const& asked,
                      mae::model_config const& sizes,
                      std::span<float const> values) {
  auto const tokens = static_cast<std::size_t>(sizes.num_patches() + 1);
  std::vector<std::size_t> shape{asked.images, tokens, tokens};
  if (asked.attention.each_head)
    shape.insert(shape.begin() + 1, static_cast<std::size_t>(sizes.encoder.heads));
  return numbers_reply(values, shape);
}

reply painting_reply(picture_request const& asked,
                     mae::model_config const& sizes,
                     std::span<std::uint8_t const> pixels,
                     std::span<float const> values) {
  std::string mask;
  for (auto const hidden : asked.hidden) mask += hidden != 0 ? '1' : '0';
  return {.content_type = "image/png",
          .body = png_of_painting(sizes, pixels, values, asked.hidden, asked.view),
          .headers = {{"X-MAE-Mask", mask}}};
}

}  // namespace

reply view_of(served_model const& model, std::span<std::uint8_t const> pixels) {
  auto const& sizes = model.sizes(task::view);
  hidden_patches const none(static_cast<std::size_t>(sizes.num_patches()), 0);
  std::vector<float> const nothing(pixels.size(), 0.0F);
  return {.content_type = "image/png",
          .body = png_of_painting(sizes, pixels, nothing, none, painting_view::pasted)};
}

reply thumbnail_of(served_model const& model, thumbnail_request const& asked) {
  auto const* const pictures = model.pictures();
  if (pictures == nullptr) throw not_offered(task::neighbours);
  if (asked.version && *asked.version != pictures->version())
    throw request_error(409,
                        "another_gallery",
                        "the gallery is not of that version: it was read again, or is another "
                        "server's; /v1/neighbours says its version and indices");
  if (asked.index >= pictures->size())
    throw request_error(404,
                        "no_such_picture",
                        "the gallery has " + std::to_string(pictures->size()) +
                            " pictures, whose numbers begin with 0");
  return {.content_type = "image/png", .body = pictures->thumbnail(asked.index)};
}

reply answer_of(picture_request const& asked,
                served_model const& model,
                std::span<std::uint8_t const> pixels,
                std::span<float const> values) {
  switch (asked.what) {
    case task::classify:
      return classes_reply(asked, *model.classifier(), values);
    case task::reconstruct:
      return painting_reply(asked, model.sizes(asked.what), pixels, values);
    case task::tokens: {
      auto const& sizes = model.sizes(asked.what);
      return numbers_reply(values,
                           {asked.images,
                            static_cast<std::size_t>(sizes.num_patches() + 1),
                            static_cast<std::size_t>(sizes.encoder.width)});
    }
    case task::attention:
      return attention_reply(asked, model.sizes(asked.what), values);
    case task::neighbours:
      return neighbours_reply(asked, *model.pictures(), values);
    case task::view:
    case task::features:
      break;
  }
  return features_reply(asked, values);
}

}  // namespace serve
