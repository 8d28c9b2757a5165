#include "mask_file.hpp"

#include <mae/core/error.hpp>
#include <mae/core/text.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pretrain {
namespace {

struct npy_text {
  std::string path;
  std::string bytes;
  std::size_t header = 0;  // where it begins
  std::size_t values = 0;  // likewise

  [[noreturn]] void refuse(std::string const& why) const {
    throw mae::format_error(path, header, "masks: " + why);
  }
};

npy_text read_npy(std::filesystem::path const& path) {
  npy_text file;
  file.path = path.string();
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw mae::io_error(file.path, "open", errno);
  file.bytes.assign(std::istreambuf_iterator<char>(stream), {});
  constexpr std::string_view magic = "\x93NUMPY";
  auto const byte = [&](std::size_t i) {
    return static_cast<std::size_t>(static_cast<unsigned char>(file.bytes[i]));
  };
  if (file.bytes.size() < 12 || !file.bytes.starts_with(magic))
    file.refuse("this is no file of numpy.save");
  bool const is_old = byte(6) == 1;  // whose header's length has two bytes
  file.header = is_old ? 10 : 12;
  std::size_t length = byte(8) + 256 * byte(9);
  if (!is_old) length += 65536 * (byte(10) + 256 * byte(11));
  if (length > file.bytes.size() - file.header) file.refuse("the file ends within its header");
  file.values = file.header + length;
  return file;
}

/// What follows 'KEY': in the header's text.
std::string_view value_of(npy_text const& file, std::string_view key) {
  auto const header = std::string_view(file.bytes).substr(file.header, file.values - file.header);
  auto const at = header.find("'" + std::string(key) + "':");
  if (at == std::string_view::npos) file.refuse("the header has no '" + std::string(key) + "'");
  auto value = header.substr(at + key.size() + 3);
  value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
  return value;
}

/// The numbers of a shape, "(2, 64)" or "(64,)".
std::vector<mae::index_t> shape_of(npy_text const& file) {
  auto text = value_of(file, "shape");
  text = text.substr(0, text.find(')'));
  std::vector<mae::index_t> shape;
  for (std::size_t i = 1; i < text.size();) {
    mae::index_t extent = 0;
    auto const [end, failure] = std::from_chars(text.data() + i, text.data() + text.size(), extent);
    if (failure != std::errc()) break;
    shape.push_back(extent);
    i = static_cast<std::size_t>(end - text.data());
    while (i < text.size() && (text[i] == ',' || text[i] == ' ')) ++i;
  }
  return shape;
}

}  // namespace

mae::fixed_mask read_masks(std::filesystem::path const& path,
                           mae::index_t patches,
                           mae::index_t images,
                           bool more_masks) {
  auto const file = read_npy(path);
  auto const type = value_of(file, "descr").substr(0, 5);
  if (type != "'|b1'" && type != "'|u1'")
    file.refuse("they must be bool or uint8, not " + std::string(type.substr(0, type.rfind('\''))) +
                "'");
  auto const shape = shape_of(file);
  if (shape.size() == 2 && !value_of(file, "fortran_order").starts_with("False"))
    file.refuse("they must be in C's order: numpy.ascontiguousarray makes it so");
  if (shape.empty() || shape.size() > 2 || shape.back() != patches)
    throw mae::config_error(file.path + ": the masks must be (" + std::to_string(patches) +
                            ") or (images, " + std::to_string(patches) +
                            "), as the model's images have " + std::to_string(patches) +
                            " patches");
  mae::index_t const count = shape.size() == 1 ? 1 : shape[0];
  auto const size = file.bytes.size() - file.values;
  if (count < 1 || static_cast<mae::index_t>(size) / patches != count ||
      static_cast<mae::index_t>(size) % patches != 0)
    file.refuse("the header says " + std::to_string(count) + " masks, and there are " +
                std::to_string(size) + " bytes of them");
  if (shape.size() == 2 && (count < images || (count > images && !more_masks)))
    throw mae::config_error(file.path + ": has masks for " + std::to_string(count) +
                            " images, and there are " + std::to_string(images) +
                            ": give one for each, or one of shape (patches) for all");
  std::vector<std::uint8_t> hidden(file.bytes.begin() + static_cast<std::ptrdiff_t>(file.values),
                                   file.bytes.end());
  return {std::move(hidden), count, patches};
}

}  // namespace pretrain
