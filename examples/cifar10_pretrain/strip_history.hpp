#pragma once

#include "page.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace pretrain {

/// Pictures of one kind as they developed, twelve at most: of more every second one goes, but the
/// last.
class strip_history {
 public:
  struct stage {
    std::int64_t step = 0;
    double epoch = 0;
    std::vector<std::byte> png;
  };

  /// `kind` is how its strips are told from others in a page: no blanks; empty of one kind.
  explicit strip_history(std::string kind) : kind_(std::move(kind)) {}

  std::vector<stage> const& stages() const { return stages_; }
  /// Replaces that of the same step.
  void add(std::int64_t step, double epoch, std::vector<std::byte> png);
  /// Takes a strip of an earlier page, if it is of this kind and not after `step`.
  bool take(page_strip& strip, std::int64_t step);
  /// Adds them to a section, under a label and the time of each; `what` describes them.
  void show(page_section& section, std::string const& label, std::string const& what) const;

 private:
  std::string kind_;
  std::vector<stage> stages_;
};

}  // namespace pretrain
