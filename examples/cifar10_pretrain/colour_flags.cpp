#include "colour_flags.hpp"

#include "flag_values.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <string>

namespace pretrain {
namespace {

/// Reads "0.4,0.4,0.2,0.1".
reader amounts(mae::colour_jitter& jitter) {
  return [&jitter](std::string const& text) {
    constexpr double most_hue = 0.5;
    constexpr double most = std::numeric_limits<float>::max();
    std::array<double, mae::colour_change_count> read{};
    std::size_t begin = 0;
    std::size_t count = 0;
    bool holds = std::ranges::count(text, ',') == read.size() - 1;
    for (; holds && count < read.size(); ++count) {
      std::size_t const end = std::min(text.find(',', begin), text.size());
      auto const value = parse_number<double>(text.substr(begin, end - begin));
      holds = value && *value >= 0 && *value < most;
      if (holds) read[count] = *value;
      begin = end + 1;
    }
    if (!holds || read.back() > most_hue)
      throw usage_error(
          "must be four numbers not below 0, of brightness, contrast, saturation and hues, the "
          "last 0.5 at most (0.4,0.4,0.2,0.1), not " +
          text);
    jitter.brightness = read[0];
    jitter.contrast = read[1];
    jitter.saturation = read[2];
    jitter.hue = read[3];
  };
}

reader probability(double& field) {
  return number(
      field, "a number from 0 to 1", [](double value) { return value >= 0 && value <= 1; });
}

}  // namespace

flag_group colour_flags(options& o) {
  auto& colours = o.colours;
  return {
      "Colours of training images",
      {{"jitter",
        "B,C,S,H",
        "vary brightness, contrast and saturation by factors of 1 - B to 1 + B\n"
        "and so on, and hues by up to H of their circle (at most 0.5), in an\n"
        "order by chance: 0.4,0.4,0.2,0.1 [0,0,0,0]",
        amounts(colours.jitter)},
       {"jitter-probability",
        "P",
        with_default("the share of the views that --jitter changes", colours.jitter.probability),
        probability(colours.jitter.probability)},
       {"grey",
        "P",
        with_default("the share of the views that lose their colours", colours.grey),
        probability(colours.grey)},
       {"blur",
        "P",
        with_default("the share of the views that are blurred, by a tenth of their side,\n"
                     "3 pixels at least, and deviations of 0.1 to 2 pixels",
                     colours.blur.probability),
        probability(colours.blur.probability)},
       {"solarise",
        "P",
        with_default("the share of the views whose values from the middle on are inverted",
                     colours.solarise.probability),
        probability(colours.solarise.probability)}}};
}

void check_colours(given_flags const& given) {
  if (given.contains("jitter-probability") && !given.contains("jitter"))
    throw usage_error("--jitter-probability needs --jitter");
}

mae::settings_list colour_entries(mae::colour_changes const& colours) {
  mae::settings_list entries;
  auto const add = [&](char const* name, double share, std::string const& by) {
    if (share > 0) entries.push_back({name, mae::decimal_text(share) + " of the views" + by});
  };
  auto const& jitter = colours.jitter;
  if (jitter.is_on())
    add("colours jittered",
        jitter.probability,
        ", by " + mae::decimal_text(jitter.brightness) + ", " + mae::decimal_text(jitter.contrast) +
            ", " + mae::decimal_text(jitter.saturation) + ", " + mae::decimal_text(jitter.hue));
  add("made grey", colours.grey, "");
  add("blurred", colours.blur.probability, "");
  add("solarised", colours.solarise.probability, "");
  return entries;
}

}  // namespace pretrain
