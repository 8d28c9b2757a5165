#include "event_file.hpp"

#include <mae/core/error.hpp>

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cmath>

namespace pretrain {
namespace {

/// Whole numbers as they lie in files, the lowest byte first.
template <class Whole>
std::string little_endian(Whole value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof(Whole); ++i)
    bytes += static_cast<char>(value >> (8 * i) & 0xFFU);
  return bytes;
}

// Protobuf: a field is its number and kind, then its value (protobuf.dev, "Encoding").
enum class wire : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80U; value >>= 7U) bytes += static_cast<char>((value & 0x7FU) | 0x80U);
  return bytes += static_cast<char>(value);
}
std::string key(unsigned number, wire kind) {
  return varint(number << 3U | static_cast<unsigned>(kind));
}
std::string number_field(unsigned number, std::uint64_t value) {
  return key(number, wire::varint) + varint(value);
}
std::string bytes_field(unsigned number, std::string_view value) {
  std::string field = key(number, wire::bytes) + varint(value.size());
  return field += value;
}
std::string double_field(unsigned number, double value) {
  return key(number, wire::fixed64) + little_endian(std::bit_cast<std::uint64_t>(value));
}
std::string float_field(unsigned number, float value) {
  return key(number, wire::fixed32) + little_endian(std::bit_cast<std::uint32_t>(value));
}

/// A TFRecord: length, its checksum, the bytes, their checksum.
std::string record_of(std::string const& bytes) {
  auto const masked = [](std::string_view of) {  // so that checksums of checksums are no constant
    std::uint32_t const sum = crc32c(of);
    return little_endian((sum >> 15U | sum << 17U) + 0xA282EAD8U);
  };
  std::string const length = little_endian(static_cast<std::uint64_t>(bytes.size()));
  return length + masked(length) + bytes + masked(bytes);
}

double now() {
  std::chrono::duration<double> const since = std::chrono::system_clock::now().time_since_epoch();
  return since.count();
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static std::array<std::uint32_t, 256> const table = [] {
    std::array<std::uint32_t, 256> sums{};
    for (std::uint32_t i = 0; i < sums.size(); ++i) {
      std::uint32_t sum = i;
      for (int bit = 0; bit < 8; ++bit) sum = (sum & 1U) != 0 ? sum >> 1U ^ 0x82F63B78U : sum >> 1U;
      sums[i] = sum;
    }
    return sums;
  }();
  std::uint32_t sum = ~0U;
  for (char const byte : bytes)
    sum = table[(sum ^ static_cast<unsigned char>(byte)) & 0xFFU] ^ sum >> 8U;
  return ~sum;
}

std::string event_record(double wall_seconds,
                         std::int64_t step,
                         std::span<scalar_summary const> scalars) {
  std::string summary;
  for (auto const& [tag, value] : scalars)
    if (std::isfinite(value))
      summary += bytes_field(1, bytes_field(1, tag) + float_field(2, static_cast<float>(value)));
  return record_of(double_field(1, wall_seconds) +
                   number_field(2, static_cast<std::uint64_t>(step)) + bytes_field(5, summary));
}

std::string first_record(double wall_seconds) {
  return record_of(double_field(1, wall_seconds) + bytes_field(3, "brain.Event:2"));
}

event_file::event_file(std::filesystem::path const& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) throw mae::io_error(folder.string(), "create folder", failed.value());
  auto const path = folder / "events.out.tfevents.mae";
  file_.open(path, std::ios::binary | std::ios::trunc);
  if (!file_) throw mae::io_error(path.string(), "open", errno);
  file_ << first_record(now());
}

void event_file::add(std::int64_t step, std::span<scalar_summary const> scalars) {
  if (file_) file_ << event_record(now(), step, scalars) << std::flush;
}

}  // namespace pretrain
