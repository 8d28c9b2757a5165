#include "summary.hpp"

#include "terminal.hpp"

#include <mae/core/text.hpp>

#include <iomanip>
#include <sstream>
#include <string_view>
#include <utility>

namespace pretrain {
namespace {

/// One measured figure with what it is to be compared with.
class figure_line {
 public:
  figure_line(std::string_view label, int decimals, std::string_view unit)
      : decimals_(decimals), unit_(unit) {
    line_ << "  " << std::left << std::setw(20) << label << std::fixed;
  }

  void value(double value) { write(value); }
  void compare(std::string_view with, std::optional<double> const& value) {
    if (!value) return;
    line_ << (std::exchange(compared_, true) ? ", " : "   (") << with << ": ";
    write(*value);
  }
  std::string text() const { return line_.str() + (compared_ ? ")\n" : "\n"); }

 private:
  void write(double value) { line_ << std::setprecision(decimals_) << value << unit_; }

  std::ostringstream line_;
  int decimals_;
  std::string_view unit_;
  bool compared_ = false;
};

std::string loss_line(run_summary const& summary) {
  if (!summary.heldout_loss) return {};
  figure_line line("held-out loss", 4, "");
  line.value(*summary.heldout_loss);
  line.compare("predicting zero", summary.baseline_loss);
  line.compare("last epoch's training", summary.final_loss);
  return line.text();
}

std::string score_line(std::string_view label,
                       run_summary const& summary,
                       std::optional<double> probe_scores::*score) {
  if (!(summary.trained.*score)) return {};
  figure_line line(label, 1, " %");
  line.value(*(summary.trained.*score));
  line.compare("untrained encoder", summary.untrained.*score);
  line.compare("raw pixels", summary.pixels.*score);
  return line.text();
}

}  // namespace

std::string to_text(run_summary const& summary, std::filesystem::path const& folder) {
  std::ostringstream text;
  text << summary.status << ": " << summary.config << " on " << mae::printable(summary.data) << ", "
       << summary.mask << " mask, " << summary.objective << " targets\n"
       << "  " << std::left << std::setw(20) << "trained" << summary.steps << " steps, "
       << std::fixed << std::setprecision(2) << summary.epochs << " epochs, "
       << format_duration(summary.wall_seconds);
  if (summary.images_per_second)
    text << ", " << std::setprecision(0) << *summary.images_per_second << " images/s";
  text << '\n'
       << loss_line(summary) << score_line("linear probe", summary, &probe_scores::linear)
       << score_line("nearest neighbours", summary, &probe_scores::knn) << "  " << std::setw(20)
       << "see" << mae::printable((folder / "reconstructions.png").string()) << "\n  "
       << std::setw(20) << "" << mae::printable((folder / "report.html").string()) << '\n';
  return text.str();
}

}  // namespace pretrain
