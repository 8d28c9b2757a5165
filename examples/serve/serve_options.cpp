#include "serve_options.hpp"

#include "choices.hpp"
#include "flag_values.hpp"
#include "options.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <limits>
#include <string_view>
#include <utility>

namespace serve {
namespace {

using pretrain::usage_error;
using pretrain::with_default;

constexpr pretrain::choice_words<precision_choice, 3> precision_words{
    {{"fp32", precision_choice::fp32},
     {"bf16", precision_choice::bf16},
     {"int8", precision_choice::int8}}};

pretrain::reader duration(std::chrono::microseconds& field) {
  return [&field](std::string const& text) { field = parse_duration(text); };
}

std::vector<pretrain::flag> model_flags(serve_options& o) {
  return {tools::model_flag(o),
          {"classifier",
           "FILE",
           "a model.safetensors of mae_finetune: its encoder and its classifier\n"
           "answer /v1/classify; may be the file of --model",
           pretrain::words(o.classifier)},
          {"gallery",
           "DIR",
           "a folder of pictures (PNG, JPEG), among which /v1/neighbours looks for\n"
           "those that are most like one; they are encoded before requests are taken",
           pretrain::words(o.gallery)},
          tools::unreadable_flag(o),
          pretrain::choice("precision",
                           precision_words,
                           o.precision,
                           "what encoders multiply: floats, bfloat16 that are added in float, or\n"
                           "int8 with a scale for each row; reconstructions are painted in fp32\n"),
          tools::threads_flag(o)};
}

std::vector<pretrain::flag> http_flags(serve_options& o) {
  constexpr std::uint64_t most_connections = 60'000;
  return {{"host",
           "ADDRESS",
           with_default("the address to listen at: 0.0.0.0 or :: for every network", o.host),
           pretrain::words(o.host)},
          {"port",
           "N",
           with_default("the port; 0: any free one, which is printed", o.port),
           pretrain::whole(o.port, 0, std::numeric_limits<std::uint16_t>::max())},
          {"token-file",
           "FILE",
           "a file with a token that requests must bring (Authorization: Bearer);\n"
           "without this flag that of the environment variable MAE_SERVE_TOKEN",
           pretrain::words(o.token_file)},
          {"max-connections",
           "N",
           with_default("connections at once; more are answered 503", o.max_connections),
           pretrain::whole(o.max_connections, 1, most_connections)},
          {"max-body",
           "BYTES",
           "the largest body of a request, 413 beyond; K and M are 1024 and its\n"
           "square [8M]",
           [&o](std::string const& text) { o.max_body = parse_bytes(text); }},
          pretrain::max_pixels_flag(o.settings),
          {"request-timeout",
           "TIME",
           "from a request's first byte to its answer: 408 where the request is\n"
           "not here then, 503 where the answer is not [10s]",
           duration(o.request_timeout)},
          {"log-requests",
           "",
           "a line on stderr for every request: route, status, milliseconds",
           pretrain::set(o.log_requests)}};
}

std::vector<pretrain::flag> batch_flags(serve_options& o) {
  constexpr std::uint64_t most_images = 1 << 16;
  return {{"max-batch",
           "N",
           with_default("images that are encoded at once, and those of one request at most",
                        static_cast<double>(o.max_batch)),
           pretrain::whole(o.max_batch, 1, most_images)},
          {"max-delay",
           "TIME",
           "how long an image waits for others to be encoded with, where others\n"
           "may come [2ms]",
           duration(o.max_delay)},
          {"queue",
           "N",
           with_default("images that wait at most; 429 beyond", static_cast<double>(o.queue)),
           pretrain::whole(o.queue, 1, most_images)}};
}

bool is_address(std::string const& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

}  // namespace

std::vector<pretrain::flag_group> flags_for(serve_options& o) {
  return {{"Flags", model_flags(o)},
          {"Requests", http_flags(o)},
          {"Batches", batch_flags(o)},
          tools::known_group(o)};
}

void check_combinations(serve_options const& o) {
  using namespace std::chrono_literals;
  if (!is_address(o.host))
    throw usage_error("--host must be an address (127.0.0.1, 0.0.0.0, ::1), not " + o.host);
  if (o.queue < o.max_batch)
    throw usage_error("--queue " + std::to_string(o.queue) + " is less than --max-batch " +
                      std::to_string(o.max_batch) + ": a batch would never be full");
  if (o.request_timeout < 10ms) throw usage_error("--request-timeout must be 10ms or more");
  if (o.max_delay > 10s) throw usage_error("--max-delay must be 10s or less");
  if (o.max_delay >= o.request_timeout)
    throw usage_error("--max-delay must be less than --request-timeout: answers would be too late");
  if (o.max_body < 1) throw usage_error("--max-body must be a byte or more");
}

std::chrono::microseconds parse_duration(std::string const& text) {
  using unit = std::pair<std::string_view, double>;
  constexpr std::array<unit, 4> units{{{"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"m", 60e6}}};
  constexpr double most = 86'400e6;  // a day
  for (auto const& [word, microseconds] : units) {
    if (!text.ends_with(word)) continue;
    auto const value = pretrain::parse_number<double>(text.substr(0, text.size() - word.size()));
    if (value && *value >= 0 && *value * microseconds <= most)
      return std::chrono::microseconds(static_cast<std::int64_t>(*value * microseconds));
  }
  throw usage_error("must be a time (2ms, 10s, 1m), not " + text);
}

std::uint64_t parse_bytes(std::string const& text) {
  constexpr std::uint64_t most = std::uint64_t{1} << 30U;
  std::uint64_t const unit = text.ends_with('M')   ? std::uint64_t{1} << 20U
                             : text.ends_with('K') ? std::uint64_t{1} << 10U
                                                   : 1;
  auto const value =
      pretrain::parse_number<std::uint64_t>(unit == 1 ? text : text.substr(0, text.size() - 1));
  if (!value || *value > most / unit)
    throw usage_error("must be a number of bytes up to 1024M (8M, 512K), not " + text);
  return *value * unit;
}

std::string_view name(precision_choice choice) {
  return pretrain::word_of(precision_words, choice);
}

}  // namespace serve
