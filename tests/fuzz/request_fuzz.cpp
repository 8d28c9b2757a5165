#include "message.hpp"
#include "multipart.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

// libFuzzer's target for what mae_serve reads of a request after its HTTP: a target, an Accept
// header, a Content-Type and a body, which three line ends part. They are read, or refused with a
// request_error; parts lie within the body.

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

std::string_view take_line(std::string_view& text) {
  auto const end = std::min(text.find('\n'), text.size());
  auto const line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

void read_parts(std::string_view content_type, std::string_view body) {
  constexpr std::size_t most = 5;
  auto const parts = serve::split_multipart(content_type, body, most);
  require(parts.size() <= most);
  auto const* last = body.data();
  for (auto const part : parts) {
    require(part.data() >= last && part.data() + part.size() <= body.data() + body.size());
    last = part.data() + part.size();
  }
}

template <class Read>
void try_to(Read const& read) {
  try {
    read();
  } catch (serve::request_error const& refusal) {
    auto const answer = refusal.to_reply();
    require(answer.status >= 400 && answer.status < 500 && !answer.error_code.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view text(reinterpret_cast<char const*>(data), size);  // NOLINT(*-reinterpret-cast)
  auto const target = take_line(text);
  auto const accept = take_line(text);
  auto const content_type = take_line(text);
  try_to([&] {
    for (auto const& [name, value] : serve::parse_query(target, {"pool", "mask"}))
      require(name == "pool" || name == "mask");
  });
  std::array<std::string_view, 3> const known{"", "application/json", "application/octet-stream"};
  require(std::ranges::find(known, serve::choose_media_type(accept, {known[1], known[2]})) !=
          known.end());
  static_cast<void>(serve::media_type(content_type));
  try_to([&] { read_parts(content_type, text); });
  return 0;
}
