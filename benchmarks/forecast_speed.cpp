// Times forecasts of a series' windows by a model of pictures, as visionts_speed.py asks for them.
// Prints one JSON line, and writes the forecasts, (windows, horizon) in float, to a file.
//
//   forecast_speed MODEL HEADS DECODER_HEADS SERIES.csv COLUMN CONTEXT HORIZON PERIOD WINDOWS
//   THREADS OUT
#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/interop.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/series.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <ctime>
#include <exception>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace {

using mae::index_t;

index_t number(std::string const& text) {
  index_t value = 0;
  auto const [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{} || end != text.data() + text.size() || value < 1)
    throw mae::config_error(mae::in_quotes(text) + " is no number from 1 on");
  return value;
}

/// Contexts that are spread evenly over a series: (windows, context).
std::vector<double> contexts_of(mae::series const& s,
                                index_t windows,
                                index_t context,
                                index_t horizon) {
  index_t const stride = (s.length() - context - horizon) / windows;
  if (stride < 1) throw mae::config_error("the series is too short for so many windows");
  std::vector<double> contexts;
  for (index_t i = 0; i < windows; ++i) {
    auto const begin = s.values.begin() + i * stride;
    contexts.insert(contexts.end(), begin, begin + context);
  }
  return contexts;
}

void run(std::vector<std::string> const& words) {
  index_t const context = number(words[5]);
  index_t const horizon = number(words[6]);
  index_t const windows = number(words[8]);
  using model_type =
      mae::sized_autoencoder<mae::uniform_mask<>, mae::eigen_backend<float>, mae::pixels>;
  model_type::parts parts;
  parts.backend = mae::eigen_backend<float>(
      std::make_shared<mae::thread_pool>(static_cast<int>(number(words[9]))));
  auto const model = mae::open_pretrained(
      mae::read_pretrained(words[0],
                           {.heads = number(words[1]), .decoder_heads = number(words[2])}),
      parts);
  auto const painter = mae::painter_of(model);
  auto const s = mae::read_series(words[3], {.columns = {words[4]}});
  auto const contexts = contexts_of(s, windows, context, horizon);
  auto const options = mae::forecast_options::visionts(context, horizon, number(words[7]));
  index_t const warm = std::min<index_t>(windows, 64);
  mae::forecast(painter, {contexts.data(), warm, context}, options);
  auto const start = std::chrono::steady_clock::now();
  auto const ticks = std::clock();
  auto const said = mae::forecast(painter, {contexts.data(), windows, context}, options);
  std::chrono::duration<double> const time = std::chrono::steady_clock::now() - start;
  double const busy = static_cast<double>(std::clock() - ticks) / CLOCKS_PER_SEC;  // of all threads
  std::vector<float> const values(said.begin(), said.end());
  std::ofstream(words[10], std::ios::binary)
      .write(reinterpret_cast<char const*>(values.data()),  // NOLINT(*-reinterpret-cast)
             static_cast<std::streamsize>(values.size() * sizeof(float)));
  std::printf(
      "{\"system\": \"mae %s\", \"windows\": %td, \"seconds\": %.3f, \"cpu_seconds\": %.3f}\n",
      mae::eigen_backend<float>::name(),
      windows,
      time.count(),
      busy);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> const words(argv + 1, argv + argc);
  if (words.size() != 11) {
    std::fputs(
        "forecast_speed MODEL HEADS DECODER_HEADS SERIES.csv COLUMN CONTEXT HORIZON PERIOD WINDOWS "
        "THREADS OUT\n",
        stderr);
    return 2;
  }
  try {
    run(words);
    return 0;
  } catch (std::exception const& error) {
    std::fprintf(stderr, "forecast_speed: %s\n", error.what());
    return 1;
  }
}
