#include "gallery.hpp"

#include "decoded_pictures.hpp"
#include "images.hpp"
#include "log_line.hpp"
#include "picture.hpp"
#include "png_file.hpp"
#include "retrieval.hpp"

#include <mae/core/clock.hpp>
#include <mae/core/error.hpp>
#include <mae/core/hash.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/core/views.hpp>
#include <mae/images/found_pictures.hpp>
#include <mae/images/image_folder.hpp>
#include <mae/images/picture_list.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace serve {
namespace {

using mae::index_t;

/// All pictures in and below a folder, whatever its folders are named: classes have no say here.
mae::picture_list list_of(std::string const& folder, std::ostream& notes) {
  auto const found = mae::find_pictures(folder);
  std::string const others = to_string(found.left_out);
  if (found.names.empty())
    throw mae::config_error("--gallery " + folder + " holds no pictures (*.png, *.jpg, *.jpeg)" +
                            (others.empty() ? "" : "; left out: " + others));
  if (!others.empty()) notes << "gallery: left out: " << mae::printable(others) << '\n';
  if (std::ssize(found.names) > gallery::most_pictures)
    throw mae::config_error("--gallery " + folder + " holds " + std::to_string(found.names.size()) +
                            " pictures; a gallery has at most " +
                            std::to_string(gallery::most_pictures) + ": name a smaller folder");
  mae::picture_list list{.folder = folder + (folder.ends_with('/') ? "" : "/"), .files = {}};
  for (auto const& name : found.names) list.files.push_back({.path = list.folder + name});
  return list;
}

/// Beside requests few enough that these need not wait long, else enough for all threads.
index_t pictures_at_once(mae::thread_pool const& threads, bool is_beside) {
  constexpr index_t most = 64;
  return is_beside ? std::min<index_t>(threads.size(), most) : most;
}

/// Some of a folder's pictures, and their features.
struct encoded_pictures {
  mae::decoded_pictures decoded;
  std::vector<float> features;
};

std::string name_of(std::string const& path) {
  return mae::printable(path.substr(path.rfind('/') + 1));
}

/// An image (H, W, C) as a PNG, no side longer than thumbnail_side.
std::string thumbnail_of(mae::image_extent const& extent, std::span<std::uint8_t const> pixels) {
  constexpr float largest = 255.0F;
  pretrain::float_image image{extent, std::vector<float>(pixels.size())};
  std::ranges::transform(pixels, image.values.begin(), [](std::uint8_t value) {
    return static_cast<float>(value) / largest;
  });
  index_t const longest = std::max(extent.width, extent.height);
  index_t const side = std::min(longest, gallery::thumbnail_side);
  auto const scaled = [&](index_t of) { return std::max<index_t>(1, of * side / longest); };
  std::vector<pretrain::float_image> const row{std::move(image)};
  auto const bytes = pretrain::png_of(pretrain::draw_grid(
      std::span(&row, 1),
      {.image_width = scaled(extent.width), .image_height = scaled(extent.height), .gap = 0}));
  return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};  // NOLINT(*-reinterpret-cast)
}

void add_text(mae::xxh64& hash, std::string const& text) {
  std::array<std::size_t, 1> const size{text.size()};
  hash.update(std::as_bytes(std::span(size)));
  hash.update(std::as_bytes(std::span(text)));
}

std::string hexadecimal_text(std::uint64_t value) {
  constexpr int base = 16;
  std::array<char, 16> digits{};
  auto const written = std::to_chars(digits.data(), digits.data() + digits.size(), value, base);
  return {digits.data(), written.ptr};
}

/// Says now and then how far it is.
class progress_log {
 public:
  explicit progress_log(index_t count) : count_(count) {}

  void say(index_t done) {
    constexpr double seconds_between = 10;
    double const now = mae::monotonic_seconds();
    if (now - last_ < seconds_between) return;
    last_ = now;
    log_line("gallery: " + std::to_string(done) + " of " + std::to_string(count_) +
             " pictures are encoded");
  }
  double seconds() const { return mae::monotonic_seconds() - start_; }

 private:
  index_t count_;
  double start_ = mae::monotonic_seconds();
  double last_ = start_;
};

}  // namespace

gallery::gallery(gallery_source const& source,
                 mae::thread_pool& threads,
                 std::ostream& notes,
                 encoding_beside const& beside) {
  mae::image_folder const folder(list_of(source.folder, notes), source.pictures);
  pretrain::image_request const request{.extent = source.pictures.extent,
                                        .skip_unreadable = source.skips_unreadable};
  auto const values = static_cast<std::size_t>(source.pictures.extent.values());
  progress_log progress(folder.size());
  index_t left_out = 0;
  index_t const step = pictures_at_once(threads, beside.others != nullptr);
  for (index_t first = 0; first < folder.size(); first += step) {
    if (beside.is_ending != nullptr && *beside.is_ending)
      throw mae::error("the gallery is not encoded to its end, as the server ends");
    index_t const last = std::min(first + step, folder.size());
    auto const encode = [&] {
      encoded_pictures some{mae::decode_range(folder, first, last, threads), {}};
      if (!some.decoded.numbers.empty()) some.features = source.features(some.decoded.pixels);
      return some;
    };
    auto const [decoded, features] =
        beside.others == nullptr ? encode() : beside.others->take(encode);
    pretrain::take_unreadable(decoded.unreadable, request, notes);
    left_out += std::ssize(decoded.unreadable);
    if (features_.empty() && !features.empty())
      features_.reserve(features.size() / decoded.numbers.size() *
                        static_cast<std::size_t>(folder.size()));
    features_.insert(features_.end(), features.begin(), features.end());
    for (std::size_t i = 0; i < decoded.numbers.size(); ++i) {
      names_.push_back(name_of(folder.path(decoded.numbers[i])));
      thumbnails_.push_back(thumbnail_of(source.pictures.extent,
                                         std::span(decoded.pixels).subspan(i * values, values)));
    }
    progress.say(last);
  }
  if (names_.empty())
    throw mae::config_error("--gallery " + source.folder + ": none of its pictures can be read");
  mae::xxh64 hash;
  for (auto const* const texts : {&names_, &thumbnails_})
    for (auto const& text : *texts) add_text(hash, text);
  version_ = hexadecimal_text(hash.digest());
  log_line("gallery: " + std::to_string(size()) + " pictures, encoded in " +
           mae::decimal_text(std::round(10 * progress.seconds()) / 10) + " s" +
           (left_out > 0 ? "; left out: " + std::to_string(left_out) : ""));
}

std::vector<neighbour> gallery::most_like(std::span<float const> features,
                                          mae::pooling pool,
                                          index_t count) const {
  index_t const both = std::ssize(features);
  index_t const first = pool == mae::pooling::mean ? both / 2 : 0;
  index_t const width = pool == mae::pooling::both ? both : both / 2;
  mae::matrix_view<float const> const all(features_.data(), size(), both);
  auto const own =
      features.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(width));
  std::vector<neighbour> found;
  for (auto const& [number, cosine] : tools::most_like(all.middle_cols(first, width), own, count))
    found.push_back({number, cosine, names_[static_cast<std::size_t>(number)]});
  return found;
}

}  // namespace serve
