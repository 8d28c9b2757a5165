#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace mae::detail {

/// A message of Protocol Buffers as it is written: its fields' bytes, one after the other
/// (protobuf.dev, "Encoding"). Only what ONNX's files need.
class protobuf_message {
 public:
  protobuf_message& number(unsigned field, std::int64_t value) {
    begin(field, varint_type);
    put_varint(static_cast<std::uint64_t>(value));
    return *this;
  }
  protobuf_message& real(unsigned field, float value) {
    begin(field, four_bytes_type);
    auto bits = std::bit_cast<std::uint32_t>(value);
    for (int i = 0; i < 4; ++i, bits >>= 8U) bytes_ += static_cast<char>(bits & 0xFFU);
    return *this;
  }
  protobuf_message& text(unsigned field, std::string_view value) {
    begin_bytes(field, value.size());
    bytes_ += value;
    return *this;
  }
  protobuf_message& message(unsigned field, protobuf_message const& value) {
    return text(field, value.bytes());
  }
  /// The field's name and length alone: as many bytes must follow.
  protobuf_message& begin_bytes(unsigned field, std::uint64_t length) {
    begin(field, length_type);
    put_varint(length);
    return *this;
  }

  /// All fields of another, as if they had been put here.
  protobuf_message& append(protobuf_message const& other) {
    bytes_ += other.bytes_;
    return *this;
  }

  std::string_view bytes() const { return bytes_; }

 private:
  static constexpr unsigned varint_type = 0;
  static constexpr unsigned length_type = 2;
  static constexpr unsigned four_bytes_type = 5;

  void begin(unsigned field, unsigned type) { put_varint(field << 3U | type); }
  void put_varint(std::uint64_t value) {
    constexpr std::uint64_t more = 0x80;
    for (; value >= more; value >>= 7U) bytes_ += static_cast<char>((value & 0x7FU) | more);
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

}  // namespace mae::detail
