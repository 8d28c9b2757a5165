#pragma once

#include <mae/backend/eigen/fourier.hpp>
#include <mae/core/types.hpp>
#include <mae/series/frequency.hpp>
#include <mae/series/time_axis.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <numbers>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mae {

/// A period, and why it was chosen, in words.
struct found_period {
  index_t period = 1;
  std::string why = {};
};

/// How much a series repeats itself after `period` values: the lesser of its autocorrelations at
/// that lag and twice that lag, after a moving mean of a period's length was taken off it. Missing
/// values (NaN) do not count. 0 where it is no more than at half the period, and for a series
/// without two periods.
inline double seasonality(std::span<double const> values, index_t period) {
  index_t const n = std::ssize(values);
  if (period < 2 || n < 2 * period) return 0;
  // Around each place, values i - half to i + period - half - 1.
  index_t const half = period / 2;
  std::vector<double> rest(values.size(), 0.0);
  double sum = 0;
  index_t known = 0;
  auto const count = [&](index_t i, int sign) {
    double const value = i < 0 || i >= n ? 0 : values[static_cast<std::size_t>(i)];
    if (i < 0 || i >= n || std::isnan(value)) return;
    sum += sign * value;
    known += sign;
  };
  for (index_t i = 0; i < period - half - 1; ++i) count(i, 1);
  for (index_t i = 0; i < n; ++i) {
    count(i + period - half - 1, 1);
    double const value = values[static_cast<std::size_t>(i)];
    if (!std::isnan(value) && known > 0)
      rest[static_cast<std::size_t>(i)] = value - sum / static_cast<double>(known);
    count(i - half, -1);
  }
  auto const is_known = [&](index_t i) { return !std::isnan(values[static_cast<std::size_t>(i)]); };
  auto const product = [&](index_t lag) {
    double products = 0;
    index_t pairs = 0;
    for (index_t i = lag; i < n; ++i) {
      products += rest[static_cast<std::size_t>(i)] * rest[static_cast<std::size_t>(i - lag)];
      pairs += is_known(i) && is_known(i - lag) ? 1 : 0;
    }
    return pairs > 0 ? products / static_cast<double>(pairs) : 0.0;
  };
  double const variance = product(0);
  if (!(variance > 0)) return 0;
  double after = product(period) / variance;
  if (n >= 3 * period) after = std::min(after, product(2 * period) / variance);
  return after > product(half) / variance ? std::max(after, 0.0) : 0;
}

namespace detail {

/// What a season must repeat at least, by its autocorrelation.
inline constexpr double least_seasonality = 0.2;
/// The same of one that was picked among many: chance gives high ones where there are few periods.
inline double least_of_picked(index_t length, index_t period) {
  return std::max(1.5 * least_seasonality,
                  2 / std::sqrt(static_cast<double>(length) / static_cast<double>(period)));
}

/// "0.62"
inline std::string short_number(double value) {
  char text[32];  // NOLINT(*-avoid-c-arrays): snprintf's
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg)
  std::snprintf(static_cast<char*>(text), sizeof text, "%.2f", value);
  return static_cast<char const*>(text);
}

/// The last 2^k values, missing ones between their neighbours, without mean and slope, faded in and
/// out (Hann's window).
inline std::vector<double> for_spectrum(std::span<double const> values) {
  constexpr std::size_t most = std::size_t{1} << 16U;
  std::size_t size = 1;
  while (2 * size <= std::min(values.size(), most)) size *= 2;
  auto const last = values.subspan(values.size() - size);
  std::vector<double> filled(last.begin(), last.end());
  std::size_t before = size;  // the last value that is known
  for (std::size_t i = 0; i < size; ++i) {
    if (std::isnan(last[i])) continue;
    std::size_t const first = before == size ? 0 : before + 1;
    for (std::size_t k = first; k < i; ++k) {
      double const share =
          before == size ? 1 : static_cast<double>(k - before) / static_cast<double>(i - before);
      filled[k] = share * last[i] + (share < 1 ? (1 - share) * last[before] : 0);
    }
    before = i;
  }
  for (std::size_t k = before == size ? 0 : before + 1; k < size; ++k)
    filled[k] = before == size ? 0 : last[before];
  auto const n = static_cast<double>(size);
  double mean = 0;
  double slope = 0;
  for (double const value : filled) mean += value / n;
  for (std::size_t i = 0; i < size; ++i)
    slope +=
        (static_cast<double>(i) - (n - 1) / 2) * filled[i] * 12 / std::max(1.0, n * (n * n - 1));
  for (std::size_t i = 0; i < size; ++i) {
    auto const at = static_cast<double>(i);
    filled[i] = (filled[i] - mean - slope * (at - (n - 1) / 2)) *
                (0.5 - 0.5 * std::cos(2 * std::numbers::pi * (at + 0.5) / n));
  }
  return filled;
}

/// Periods of the spectrum's peaks, from the highest on.
inline std::vector<index_t> spectral_periods(std::span<double const> values, index_t most) {
  constexpr std::size_t kept = 8;
  auto const faded = for_spectrum(values);
  auto const power = power_spectrum(faded);
  std::vector<std::pair<double, index_t>> peaks;
  for (std::size_t k = 1; k + 1 < power.size(); ++k) {
    auto const period = static_cast<index_t>(
        std::lround(static_cast<double>(faded.size()) / static_cast<double>(k)));
    if (power[k] <= power[k - 1] || power[k] <= power[k + 1] || period < 2 || period > most)
      continue;
    // Between two coefficients: the place of a parabola's top through the logarithms.
    double const left = std::log(power[k - 1] + 1e-300);
    double const middle = std::log(power[k] + 1e-300);
    double const right = std::log(power[k + 1] + 1e-300);
    double const shift = 0.5 * (left - right) / (left - 2 * middle + right);
    peaks.emplace_back(-power[k],
                       static_cast<index_t>(std::lround(static_cast<double>(faded.size()) /
                                                        (static_cast<double>(k) + shift))));
  }
  std::sort(peaks.begin(), peaks.end());
  std::vector<index_t> periods;
  for (auto const& [power_below_0, period] : peaks)
    if (periods.size() < kept && period <= most) periods.push_back(period);
  return periods;
}

/// The period of the greatest seasonality among neighbours of one that a spectrum suggests.
inline index_t refined(std::span<double const> values, index_t period, index_t most) {
  index_t best = period;
  index_t const reach = std::max<index_t>(1, period / 50);
  for (index_t p = std::max<index_t>(2, period - reach); p <= std::min(most, period + reach); ++p)
    if (seasonality(values, p) > seasonality(values, best)) best = p;
  return best;
}

/// Of the seasons that a step may have, that which repeats most; "" where none does.
inline found_period by_stamps(std::span<double const> values, time_axis const& time, index_t most) {
  if (!time.has_stamps()) return {};
  found_period found;
  double best = 0;
  std::string seen;
  for (index_t const season : seasons_of(time.step)) {
    if (season > most) continue;
    double const repeats = seasonality(values, season);
    (seen += seen.empty() ? "" : ", ")
        .append(short_number(repeats))
        .append(" at ")
        .append(std::to_string(season));
    if (repeats <= best) continue;
    best = repeats;
    found.period = season;
  }
  if (best < least_seasonality) return {};
  found.why = "the values are " + step_text(time.step) +
              " apart, and repeat by their autocorrelation: " + seen;
  return found;
}

}  // namespace detail

/// The period of a series, of at most `most` values: of the seasons that the step of its time
/// stamps may have that which repeats most; without one that does, the strongest of its spectrum
/// that its autocorrelation confirms; else 1. `values` (time), NaN where one is missing.
inline found_period find_period(std::span<double const> values,
                                time_axis const& time,
                                index_t most) {
  most = std::min(most, std::ssize(values) / 3);
  auto stamped = detail::by_stamps(values, time, most);
  if (!stamped.why.empty()) return stamped;
  std::string const before = time.has_stamps() ? "no season of values that are " +
                                                     step_text(time.step) + " apart repeats; "
                                               : std::string("there are no time stamps; ");
  if (std::ssize(values) >= 8)
    for (index_t const peak : detail::spectral_periods(values, most)) {
      index_t const period = detail::refined(values, peak, most);
      double const repeats = seasonality(values, period);
      if (repeats >= detail::least_of_picked(std::ssize(values), period))
        return {period,
                before + "the spectrum has a peak there, and the autocorrelation is " +
                    detail::short_number(repeats)};
    }
  return {1, before + "no peak of the spectrum is confirmed by the autocorrelation"};
}

}  // namespace mae
