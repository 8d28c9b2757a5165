#include "visible_objects.hpp"

#include <mae/core/error.hpp>
#include <mae/core/views.hpp>
#include <mae/data/annotation.hpp>
#include <mae/mask/plan.hpp>
#include <mae/patch/patchify.hpp>

#include <cmath>
#include <cstddef>
#include <iomanip>
#include <limits>
#include <sstream>
#include <utility>

namespace tools {
namespace {

using mae::index_t;

double mean_of(std::span<double const> values) {
  double sum = 0;
  for (double const value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

/// Of one image; below 0 where it has no object.
struct shares_seen {
  double pixels = -1;
  double patches = -1;
  double chance = 0;
};

bool is_object(place_labels const& places, std::size_t pixel) {
  if (!places.instances.empty()) return places.instances[pixel] > 0;
  return places.masks[pixel] != 0 && places.masks[pixel] != mae::unlabelled_pixel;
}

/// The pixels of objects in each of an image's patches (N).
std::vector<index_t> object_pixels(place_labels const& places,
                                   index_t image,
                                   mae::model_config const& config) {
  std::vector<index_t> counts(static_cast<std::size_t>(config.num_patches()));
  auto const& extent = config.image;
  auto const first = static_cast<std::size_t>(image * extent.pixels());
  for (index_t y = 0; y < extent.height; ++y)
    for (index_t x = 0; x < extent.width; ++x) {
      index_t const patch =
          y / config.patch.height * config.grid_columns() + x / config.patch.width;
      if (is_object(places, first + static_cast<std::size_t>(y * extent.width + x)))
        ++counts[static_cast<std::size_t>(patch)];
    }
  return counts;
}

shares_seen shares_of(std::vector<index_t> const& counts,
                      std::span<mae::patch_index const> visible) {
  index_t pixels = 0;
  index_t patches = 0;
  for (index_t const count : counts) {
    pixels += count;
    patches += count > 0 ? 1 : 0;
  }
  shares_seen found{.chance =
                        static_cast<double>(visible.size()) / static_cast<double>(counts.size())};
  if (pixels == 0) return found;
  index_t seen_pixels = 0;
  index_t seen_patches = 0;
  for (auto const patch : visible) {
    index_t const count = counts[static_cast<std::size_t>(patch)];
    seen_pixels += count;
    seen_patches += count > 0 ? 1 : 0;
  }
  found.pixels = static_cast<double>(seen_pixels) / static_cast<double>(pixels);
  found.patches = static_cast<double>(seen_patches) / static_cast<double>(patches);
  return found;
}

std::string with_digits(double value, int digits) {
  if (!std::isfinite(value)) return "-";
  std::ostringstream text;
  text << std::fixed << std::setprecision(digits) << value;
  return std::move(text).str();
}

}  // namespace

mean_quotient quotient_of_means(std::span<double const> shares, std::span<double const> chances) {
  constexpr double normal = 1.959963984540054;  // the 97.5% quantile
  double const chance = mean_of(chances);
  mean_quotient found{.value = mean_of(shares) / chance};
  auto const n = static_cast<double>(shares.size());
  double squares = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    double const residual = shares[i] - found.value * chances[i];
    squares += residual * residual;
  }
  double const error = shares.size() < 2 ? std::numeric_limits<double>::quiet_NaN()
                                         : std::sqrt(squares / (n - 1) / n) / chance;
  found.low = found.value - normal * error;
  found.high = found.value + normal * error;
  return found;
}

objects_seen see_objects(labelled_images const& images,
                         mae::model_config const& config,
                         patch_chooser const& chooser,
                         mae::thread_pool& threads) {
  index_t const count = images.images.size();
  std::vector<shares_seen> of_images(static_cast<std::size_t>(count));
  threads.for_each(count, [&](index_t i, int /*worker*/) {
    std::vector<float> pixels(static_cast<std::size_t>(config.image.values()));
    std::vector<float> cut(pixels.size());
    mae::matrix_view<float> const patches(cut.data(), config.num_patches(), config.patch_values());
    images.images.read(i, pixels);
    mae::patchify(pixels, config.image, config.patch, patches);
    mae::mask_plan plan(1, config.num_patches());
    chooser.plan(seen_set::tests, i, patches, plan, 0);
    of_images[static_cast<std::size_t>(i)] =
        shares_of(object_pixels(images.places, i, config), plan.visible(0));
  });
  std::vector<double> pixels;
  std::vector<double> patches;
  std::vector<double> chances;
  for (auto const& image : of_images) {
    if (image.pixels < 0) continue;
    pixels.push_back(image.pixels);
    patches.push_back(image.patches);
    chances.push_back(image.chance);
  }
  if (pixels.empty())
    throw mae::config_error(
        "no image to test with has a pixel of an object: nothing is to be seen");
  double const chance = mean_of(chances);
  return {.visible = chance * static_cast<double>(config.num_patches()),
          .images = std::ssize(pixels),
          .chance = chance,
          .pixels = mean_of(pixels),
          .patches = mean_of(patches),
          .pixels_to_chance = quotient_of_means(pixels, chances),
          .patches_to_chance = quotient_of_means(patches, chances)};
}

std::string to_table(std::vector<objects_seen> const& found) {
  constexpr double percent = 100.0;
  constexpr int narrow = 10;
  constexpr int wide = 26;
  std::ostringstream table;
  auto const row = [&](std::string const& visible,
                       std::string const& chance,
                       std::string const& pixels,
                       std::string const& patches) {
    table << std::right << std::setw(narrow) << visible << std::setw(narrow) << chance
          << std::setw(wide) << pixels << std::setw(wide) << patches << '\n';
  };
  auto const quotient = [&](double share, mean_quotient const& of) {
    return with_digits(percent * share, 1) + " %, x " + with_digits(of.value, 3) + " [" +
           with_digits(of.low, 3) + ", " + with_digits(of.high, 3) + "]";
  };
  row("visible", "chance", "of objects' pixels", "of objects' patches");
  for (auto const& one : found) {
    auto const pixels = quotient(one.pixels, one.pixels_to_chance);
    auto const patches = quotient(one.patches, one.patches_to_chance);
    row(with_digits(one.visible, 1),
        with_digits(percent * one.chance, 1) + " %",
        "  " + pixels,
        "  " + patches);
  }
  return std::move(table).str();
}

std::string to_csv(std::vector<objects_seen> const& found) {
  std::string table =
      "visible,images,chance,pixels,pixels_quotient,pixels_low,pixels_high,patches,"
      "patches_quotient,patches_low,patches_high\r\n";
  constexpr int digits = 6;
  for (auto const& one : found) {
    table += with_digits(one.visible, 3) + ',' + std::to_string(one.images);
    auto const add = [&](double value) {
      table += ',';
      if (std::isfinite(value)) table += with_digits(value, digits);
    };
    add(one.chance);
    add(one.pixels);
    add(one.pixels_to_chance.value);
    add(one.pixels_to_chance.low);
    add(one.pixels_to_chance.high);
    add(one.patches);
    add(one.patches_to_chance.value);
    add(one.patches_to_chance.low);
    add(one.patches_to_chance.high);
    table += "\r\n";
  }
  return table;
}

}  // namespace tools
