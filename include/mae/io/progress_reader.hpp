#pragma once

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/io/description.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/train/conflicts.hpp>
#include <mae/train/options.hpp>
#include <mae/train/report.hpp>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace mae {

/// Reads the counts and numbers of a training's metadata. Throws format_error for what is missing
/// or no number.
class progress_reader {
 public:
  progress_reader(std::string const& path, safetensors_metadata const& description)
      : path_(path), description_(description) {}

  std::int64_t count(std::string const& name) const {
    std::string const& text = entry(name);
    std::int64_t value = -1;
    auto const read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || value < 0)
      throw format_error(path_, 8, "metadata: " + name + " is no count: " + text);
    return value;
  }
  double number(std::string const& name) const {
    auto const numbers = parse_numbers(path_, entry(name));
    if (numbers.size() != 1)
      throw format_error(path_, 8, "metadata: " + name + " is no number: " + entry(name));
    return numbers.front();
  }
  /// One that is not negative.
  double norm(std::string const& name) const {
    double const value = number(name);
    if (value < 0) throw format_error(path_, 8, "metadata: " + name + " is below 0");
    return value;
  }

 private:
  std::string const& entry(std::string const& name) const {
    auto const found = description_.find(name);
    if (found == description_.end())
      throw format_error(path_, 8, "metadata: " + name + " is missing: no training's checkpoint");
    return found->second;
  }

  std::string const& path_;
  safetensors_metadata const& description_;
};

/// Reads where a saved training stands. Throws as progress_reader.
inline training_progress read_progress(progress_reader const& read) {
  return {.step = read.count("step"),
          .optimizer_steps = read.count("optimizer_steps"),
          .epoch_steps = read.count("epoch_steps"),
          .epoch_loss = read.number("epoch_loss"),
          .epoch_baseline = read.number("epoch_baseline")};
}

/// What a training's file calls the moving average of a head's norms: see balanced_shares.
inline std::string norm_entry(std::string_view head) {
  return std::string(head) + ".gradient_norm";
}

/// Reads these averages, of the heads of these names that are on, where a training keeps them.
/// Throws as progress_reader, and for one below 0.
template <class Parts>
std::vector<double> read_norms(progress_reader const& read,
                               Parts const& parts,
                               training_options const& options,
                               std::int64_t optimizer_steps) {
  if (options.conflicts != conflict_rule::balance || optimizer_steps == 0) return {};
  std::vector<double> norms;
  for (std::size_t head = 0; head < Parts::num_heads; ++head)
    norms.push_back(parts.is_on(head) ? read.norm(norm_entry(Parts::names()[head])) : 0.0);
  return norms;
}

/// Throws format_error for progress that no training of so many steps, in epochs of so many, makes.
inline void require_consistent(std::string const& path,
                               training_progress const& progress,
                               std::int64_t total_steps,
                               index_t steps_per_epoch) {
  auto const require = [&](bool holds, char const* sentence) {
    if (!holds)
      throw format_error(
          path, 8, std::string("metadata: the progress contradicts itself: ") + sentence);
  };
  require(progress.step <= total_steps, "step is beyond total_steps");
  require(progress.optimizer_steps <= progress.step, "optimizer_steps are more than step");
  require(progress.epoch_steps <= progress.optimizer_steps, "epoch_steps are more than all");
  // The sums of an epoch last until the first step of the next.
  index_t const of_epoch = progress.step == 0 ? 0 : (progress.step - 1) % steps_per_epoch + 1;
  require(progress.epoch_steps <= of_epoch, "epoch_steps are more than the epoch's steps so far");
  require(of_epoch - progress.epoch_steps <= progress.step - progress.optimizer_steps,
          "more steps are left out of the epoch than of the training");
  require(progress.epoch_loss >= 0 && progress.epoch_baseline >= 0, "a sum of losses is below 0");
  require(progress.epoch_steps > 0 || (progress.epoch_loss == 0 && progress.epoch_baseline == 0),
          "there are losses of an epoch without steps");
}

}  // namespace mae
