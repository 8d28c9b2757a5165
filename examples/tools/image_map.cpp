#include "image_map.hpp"

#include "markup.hpp"
#include "png_file.hpp"
#include "save_file.hpp"

#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <vector>

namespace tools {
namespace {

using mae::index_t;

constexpr double map_side = 720;
constexpr double thumbnail_side = 30;

/// A colour for a class; those of neighbouring numbers are far apart.
std::string class_colour(std::int64_t label) {
  if (label < 0) return "#888";
  constexpr double golden_angle = 137.508;
  double const hue = std::fmod(golden_angle * static_cast<double>(label), 360.0);
  return "hsl(" + std::to_string(std::lround(hue)) + ",70%,50%)";
}

/// One coordinate of all places, onto the map less half a thumbnail at each side.
std::vector<double> on_map(std::span<float const> places, std::size_t axis) {
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (std::size_t i = axis; i < places.size(); i += 2) {
    low = std::min(low, static_cast<double>(places[i]));
    high = std::max(high, static_cast<double>(places[i]));
  }
  std::vector<double> shown;
  double const room = map_side - thumbnail_side - 4;
  for (std::size_t i = axis; i < places.size(); i += 2) {
    double const share = high > low ? (static_cast<double>(places[i]) - low) / (high - low) : 0.5;
    shown.push_back(2 + room * (axis == 0 ? share : 1 - share));
  }
  return shown;
}

std::string tenth(double value) {
  return mae::decimal_text(std::round(10 * value) / 10);
}

/// A field of a table whose fields are parted by tabs.
std::string tab_field(std::string const& text) {
  return mae::printable(text);
}

}  // namespace

std::string draw_map(std::span<mapped_image const> images,
                     std::span<float const> places,
                     std::string const& title) {
  auto const x = on_map(places, 0);
  auto const y = on_map(places, 1);
  std::string const side = tenth(map_side);
  std::string svg = R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 )" + side + ' ' + side +
                    R"(" role="img" aria-label=")" + pretrain::escaped(title) + "\">\n";
  for (std::size_t i = 0; i < images.size(); ++i) {
    auto const& [thumbnail, row] = images[i];
    auto const longer =
        static_cast<double>(std::max(thumbnail.extent.width, thumbnail.extent.height));
    auto const side_text = [&](index_t pixels) {
      return tenth(thumbnail_side * static_cast<double>(pixels) / longer);
    };
    std::string size = "width=\"";
    size += side_text(thumbnail.extent.width);
    size += "\" height=\"";
    size += side_text(thumbnail.extent.height);
    size += '"';
    svg += "<g transform=\"translate(" + tenth(x[i]) + ' ' + tenth(y[i]) + ")\"><title>" +
           pretrain::escaped(row.file + (row.class_name.empty() ? "" : ": " + row.class_name)) +
           "</title><image " + size +
           R"( style="image-rendering:pixelated" href="data:image/png;base64,)";
    svg += pretrain::base64(
        pretrain::png_of(pretrain::draw_strip(std::span(&thumbnail, 1), thumbnail.extent.width)));
    svg += R"("/><rect )" + size + R"( fill="none" stroke-width="2" stroke=")" +
           class_colour(row.label) + "\"/></g>\n";
  }
  return svg + "</svg>\n";
}

void save_projector(std::string const& folder,
                    std::span<mapped_image const> images,
                    std::span<float const> features) {
  std::filesystem::path const out(folder);
  std::filesystem::create_directories(out);
  auto const count = std::ssize(images);
  auto const width = std::ssize(features) / std::max<index_t>(1, count);
  std::string tensors;
  std::string metadata = "file\tclass\n";
  for (index_t i = 0; i < count; ++i) {
    for (index_t k = 0; k < width; ++k) {
      if (k > 0) tensors += '\t';
      auto const value = features[static_cast<std::size_t>(i * width + k)];
      tensors += mae::decimal_text(static_cast<double>(value));
    }
    tensors += '\n';
    auto const& row = images[static_cast<std::size_t>(i)].row;
    metadata += tab_field(row.file) + '\t' + tab_field(row.class_name) + '\n';
  }
  pretrain::save_text(out / "tensors.tsv", tensors);
  pretrain::save_text(out / "metadata.tsv", metadata);

  auto const side = static_cast<index_t>(std::ceil(std::sqrt(static_cast<double>(count))));
  auto const& extent = images.front().thumbnail.extent;
  std::vector<std::vector<pretrain::float_image>> rows;
  for (index_t i = 0; i < count; ++i) {
    if (i % side == 0) rows.emplace_back();
    rows.back().push_back(images[static_cast<std::size_t>(i)].thumbnail);
  }
  // The projector cuts a square of side by side pictures.
  rows.resize(static_cast<std::size_t>(side));
  pretrain::save_png(
      pretrain::draw_grid(rows,
                          {.image_width = extent.width, .image_height = extent.height, .gap = 0}),
      out / "sprite.png");
  pretrain::save_text(out / "projector_config.pbtxt",
                      "embeddings {\n  tensor_path: \"tensors.tsv\"\n  metadata_path: "
                      "\"metadata.tsv\"\n  sprite {\n    image_path: \"sprite.png\"\n    "
                      "single_image_dim: " +
                          std::to_string(extent.width) + "\n    single_image_dim: " +
                          std::to_string(extent.height) + "\n  }\n}\n");
}

pretrain::float_image thumbnail_of(pretrain::float_image const& image, index_t most) {
  auto const& extent = image.extent;
  index_t const step =
      std::max<index_t>(1, mae::ceil_div(std::max(extent.width, extent.height), most));
  pretrain::float_image small{
      {.height = extent.height / step, .width = extent.width / step, .channels = extent.channels},
      {}};
  for (index_t row = 0; row < small.extent.height; ++row)
    for (index_t column = 0; column < small.extent.width; ++column)
      for (index_t c = 0; c < extent.channels; ++c) {
        float sum = 0;
        for (index_t y = row * step; y < (row + 1) * step; ++y)
          for (index_t x = column * step; x < (column + 1) * step; ++x)
            sum +=
                image
                    .values[static_cast<std::size_t>((y * extent.width + x) * extent.channels + c)];
        small.values.push_back(sum / static_cast<float>(step * step));
      }
  return small;
}

}  // namespace tools
