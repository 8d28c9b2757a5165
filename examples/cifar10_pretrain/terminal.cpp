#include "terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <ostream>
#include <sstream>
#include <utility>

namespace pretrain {
namespace {

using namespace std::chrono_literals;

constexpr int bar_width = 16;
constexpr auto rewrite_pause = 100ms;
constexpr auto line_pause = 10s;

std::string fixed_text(double value, int decimals) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(decimals) << value;
  return std::move(text).str();
}

std::string scientific_text(double value) {
  std::ostringstream text;
  text << std::scientific << std::setprecision(2) << value;
  return std::move(text).str();
}

std::string count_of(std::int64_t now, std::optional<std::int64_t> const& limit) {
  std::string const text = std::to_string(now);
  return limit ? text + "/" + std::to_string(*limit) : text;
}

std::string colour(char const* layer, rgb const& value) {
  return std::string("\x1b[") + layer + ";2;" + std::to_string(value.red) + ";" +
         std::to_string(value.green) + ";" + std::to_string(value.blue) + "m";
}

}  // namespace

progress_style style_for(int descriptor, bool quiet) {
  if (quiet) return progress_style::silent;
  return isatty(descriptor) != 0 ? progress_style::rewritten : progress_style::lines;
}

int terminal_width(int descriptor) {
  winsize size = {};
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): POSIX declares it so.
  if (ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

std::string format_duration(double seconds) {
  constexpr double a_year = 365.0 * 24 * 3600;
  if (!(seconds >= 0 && seconds < a_year)) return "-:--:--";
  long long const whole = std::llround(seconds);
  std::ostringstream text;
  text << std::setfill('0') << whole / 3600 << ':' << std::setw(2) << whole / 60 % 60 << ':'
       << std::setw(2) << whole % 60;
  return std::move(text).str();
}

namespace {

std::string compared_text(of_comparing const& compared) {
  std::string text;
  for (std::size_t i = 0; i < compared.size(); ++i)
    if (!std::isnan(compared[i]))
      text += std::string("  ") + comparing_heads[i] + ' ' + fixed_text(compared[i], 4);
  return text;
}

}  // namespace

std::string format_progress(progress const& now) {
  return "epoch " + count_of(now.epoch, now.epochs) + "  step " + count_of(now.step, now.steps) +
         (std::isnan(now.loss)
              ? std::string()
              : "  loss " + fixed_text(now.loss, 4) + "  baseline " + fixed_text(now.baseline, 4)) +
         compared_text(now.compared) + "  lr " + scientific_text(now.lr) + "  " +
         fixed_text(now.images_per_second, 0) + " images/s" + "  left " +
         format_duration(now.seconds_left);
}

std::string format_bar(double done, int width) {
  double const share = done >= 0 ? std::min(done, 1.0) : 0.0;  // NaN is nothing done
  auto const filled = static_cast<std::size_t>(std::lround(share * width));
  std::string bar(1, '[');  // begun as a string: g++ 12 warns wrongly of a literal before one
  bar.append(filled, '#');
  bar.append(static_cast<std::size_t>(width) - filled, '.');
  return bar += ']';
}

progress_line::progress_line(std::ostream& out, progress_style style, int width)
    : out_(out), style_(style), width_(width) {}

void progress_line::show(progress const& now, clock::time_point time) {
  show(now.done, format_progress(now), time);
}

void progress_line::show(double done, std::string text, clock::time_point time) {
  if (style_ == progress_style::silent) return;
  bool const on_terminal = style_ == progress_style::rewritten;
  if (on_terminal) text = format_bar(done, bar_width) + " " + text;

  auto const pause = on_terminal ? clock::duration(rewrite_pause) : clock::duration(line_pause);
  if (last_ && time - *last_ < pause) {
    pending_ = std::move(text);
    return;
  }
  last_ = time;
  pending_.clear();
  if (on_terminal)
    rewrite(std::move(text));
  else
    out_ << text << '\n' << std::flush;
}

void progress_line::finish() {
  if (!pending_.empty()) {
    if (style_ == progress_style::rewritten)
      rewrite(std::move(pending_));
    else
      out_ << pending_ << '\n';
    pending_.clear();
  }
  if (open_) out_ << '\n';
  out_ << std::flush;
  open_ = false;
}

void progress_line::rewrite(std::string text) {
  // A line as wide as the terminal would wrap, and then could not be rewritten.
  text.resize(std::min(text.size(), static_cast<std::size_t>(std::max(width_ - 1, 0))));
  out_ << '\r' << text << "\x1b[K" << std::flush;
  open_ = true;
}

std::string half_blocks(picture const& image) {
  std::string text;
  rgb const below_the_end = {};
  for (mae::index_t row = 0; row < image.height(); row += 2) {
    for (mae::index_t column = 0; column < image.width(); ++column) {
      bool const has_lower = row + 1 < image.height();
      text += colour("38", image.at(row, column));
      text += colour("48", has_lower ? image.at(row + 1, column) : below_the_end);
      text += "\u2580";  // the upper half in the foreground's colour
    }
    text += "\x1b[0m\n";
  }
  return text;
}

std::string preview(std::span<reconstruction const> rows, int columns) {
  if (rows.empty()) return {};
  mae::image_extent const extent = rows.front().original.extent;
  constexpr mae::index_t gap = 1;
  mae::index_t const room = (columns - 5 * gap) / 4;
  mae::index_t const width = std::clamp<mae::index_t>(room, 1, extent.width);
  mae::index_t const height = std::max<mae::index_t>(1, extent.height * width / extent.width);
  return half_blocks(draw_sheet(
      rows, {.image_width = width, .image_height = height, .gap = gap, .background = {0, 0, 0}}));
}

}  // namespace pretrain
