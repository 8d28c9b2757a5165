#pragma once

#include "compared.hpp"
#include "picture.hpp"

#include <mae/core/types.hpp>

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <span>
#include <string>

namespace pretrain {

/// How progress is shown.
enum class progress_style {
  rewritten,  // one line in place, for a terminal
  lines,      // a line now and then, for a file or a pipe
  silent,
};

/// The style for output that goes to file descriptor `descriptor`.
progress_style style_for(int descriptor, bool quiet);

/// Columns of the terminal behind `descriptor`; 80 where there is none.
int terminal_width(int descriptor);

/// "1:02:03", hours first; "-:--:--" for what is no duration (negative, NaN, above a year).
std::string format_duration(double seconds);

/// What a progress line tells.
struct progress {
  mae::index_t epoch = 0;              // running, from 1
  std::optional<std::int64_t> epochs;  // limits, where there are any
  std::int64_t step = 0;               // steps done
  std::optional<std::int64_t> steps;   // of the whole training, where known
  double done = 0;                     // share of the whole training, in [0, 1]
  double loss = 0;
  double baseline = 0;                      // the loss of predicting zero
  of_comparing compared = none_compared();  // losses, where they are learned
  double lr = 0;
  double images_per_second = 0;
  double seconds_left = 0;
};

/// The fields as one line, without a bar and without a line end.
std::string format_progress(progress const& now);

/// A bar of `width` characters between brackets, `done` in [0, 1] of it filled.
std::string format_bar(double done, int width);

/// Shows progress: rewrites its line at most 10 times a second, or prints a line at most every
/// 10 seconds.
class progress_line {
 public:
  using clock = std::chrono::steady_clock;

  /// `width`: columns of the terminal, for the rewritten style. `out` must outlive this object.
  progress_line(std::ostream& out, progress_style style, int width);

  void show(progress const& now, clock::time_point time = clock::now());
  /// The same of any work, of which `done` in [0, 1] is done.
  void show(double done, std::string text, clock::time_point time = clock::now());
  /// Leaves the last progress on a line of its own, so that other text can follow.
  void finish();

 private:
  void rewrite(std::string text);

  std::ostream& out_;
  progress_style style_;
  int width_;
  std::optional<clock::time_point> last_;  // when a line was shown
  std::string pending_;                    // the latest line, if it was held back
  bool open_ = false;                      // a rewritten line waits for its end
};

/// The picture in 24-bit colour for a terminal, two pixels (one above the other) a character.
std::string half_blocks(picture const& image);

/// Reconstructions as half blocks, one row of four images after the other, to fit into `columns`.
std::string preview(std::span<reconstruction const> rows, int columns);

}  // namespace pretrain
