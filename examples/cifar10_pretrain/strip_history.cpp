#include "strip_history.hpp"

#include "figure.hpp"

#include <mae/core/settings.hpp>

#include <sstream>

namespace pretrain {

void strip_history::add(std::int64_t step, double epoch, std::vector<std::byte> png) {
  constexpr std::size_t most = 12;
  if (!stages_.empty() && stages_.back().step == step) stages_.pop_back();
  stages_.push_back({step, epoch, std::move(png)});
  if (stages_.size() <= most) return;
  std::vector<stage> kept;
  for (std::size_t i = 0; i < stages_.size(); ++i)
    if (i % 2 == 0 || i + 1 == stages_.size()) kept.push_back(std::move(stages_[i]));
  stages_ = std::move(kept);
}

bool strip_history::take(page_strip& strip, std::int64_t step) {
  std::istringstream mark(strip.mark);
  std::string kind;
  stage found;
  if (!kind_.empty() && !(mark >> kind && kind == kind_)) return false;
  if (!(mark >> found.step >> found.epoch) || found.step > step) return false;
  found.png = std::move(strip.png);
  stages_.push_back(std::move(found));
  return true;
}

void strip_history::show(page_section& section,
                         std::string const& label,
                         std::string const& what) const {
  constexpr int digits = 3;
  for (auto const& shown : stages_) {
    std::string const when =
        shown.step == 0 ? "untrained" : "epoch " + number_text(shown.epoch, digits);
    section.strips.push_back({label + when,
                              what + ", " + when,
                              shown.png,
                              0,
                              (kind_.empty() ? "" : kind_ + ' ') + std::to_string(shown.step) +
                                  ' ' + mae::decimal_text(shown.epoch)});
  }
}

}  // namespace pretrain
