#include "bearer_token.hpp"

#include "command_line.hpp"

#include <mae/interop/tensor_files.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <utility>

namespace serve {
namespace {

/// Whether two texts are equal, looking at all of `given` whatever is found.
bool are_equal(std::string_view given, std::string_view secret) {
  unsigned difference = given.size() == secret.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    // Modulo, so that a wrong length takes its time, too.
    auto const a = static_cast<unsigned char>(given[i]);
    auto const b = static_cast<unsigned char>(secret[i % secret.size()]);
    difference |= static_cast<unsigned>(a) ^ static_cast<unsigned>(b);
    asm volatile("" : "+r"(difference));  // the loop is not to be ended early
  }
  return difference == 0;
}

}  // namespace

bearer_token::bearer_token(std::string secret) : secret_(std::move(secret)) {
  constexpr std::size_t shortest = 8;
  constexpr std::size_t longest = 512;
  bool const is_sendable =
      std::ranges::all_of(secret_, [](char letter) { return letter > ' ' && letter < 0x7F; });
  if (secret_.size() < shortest || secret_.size() > longest || !is_sendable)
    throw pretrain::usage_error(
        "the token must have 8 to 512 characters, none of them blank or beyond ASCII");
}

bearer_token bearer_token::find(std::string const& path) {
  constexpr std::uint64_t most_bytes = 4096;
  char const* const variable = std::getenv("MAE_SERVE_TOKEN");
  if (path.empty() && variable == nullptr) return {};
  std::string text = path.empty() ? variable : mae::detail::read_text_file(path, most_bytes);
  text.resize(std::min(text.find_first_of("\r\n"), text.size()));
  return bearer_token(std::move(text));
}

bool bearer_token::is_in(std::string_view authorization) const {
  constexpr std::string_view scheme = "bearer ";
  if (authorization.size() <= scheme.size()) return false;
  for (std::size_t i = 0; i < scheme.size(); ++i) {
    char const letter = authorization[i];
    char const lower =
        letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
    if (lower != scheme[i]) return false;
  }
  return are_equal(authorization.substr(scheme.size()), secret_);
}

}  // namespace serve
