#include "markup.hpp"

#include <mae/core/text.hpp>

#include <algorithm>

namespace pretrain {
namespace {

constexpr std::string_view letters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string escaped(std::string_view text) {
  std::string safe;
  for (char const letter : mae::printable(text)) {
    switch (letter) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      case '\'':
        safe += "&#39;";
        break;
      default:
        safe += letter;
    }
  }
  return safe;
}

std::string base64(std::span<std::byte const> bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (; !bytes.empty(); bytes = bytes.subspan(std::min<std::size_t>(3, bytes.size()))) {
    unsigned group = 0;
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8U | (i < bytes.size() ? std::to_integer<unsigned>(bytes[i]) : 0U);
    for (std::size_t i = 0; i < 4; ++i)
      text += i <= bytes.size() ? letters[group >> (18 - 6 * i) & 0x3FU] : '=';
  }
  return text;
}

std::optional<std::vector<std::byte>> bytes_of_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::vector<std::byte> bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (; !text.empty(); text.remove_prefix(4)) {
    std::size_t const missing = text.size() > 4 || text[3] != '=' ? 0 : text[2] == '=' ? 2 : 1;
    unsigned group = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      auto const value = i + missing < 4 ? letters.find(text[i]) : 0;
      if (value == std::string_view::npos) return std::nullopt;
      group = group << 6U | static_cast<unsigned>(value);
    }
    for (std::size_t i = 0; i + missing < 3; ++i)
      bytes.push_back(static_cast<std::byte>(group >> (16 - 8 * i) & 0xFFU));
  }
  return bytes;
}

}  // namespace pretrain
