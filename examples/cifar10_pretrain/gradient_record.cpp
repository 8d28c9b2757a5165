#include "gradient_record.hpp"

#include "compared.hpp"
#include "figure.hpp"
#include "markup.hpp"

#include <mae/train/gradient_products.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <iomanip>
#include <sstream>
#include <string_view>
#include <utility>

namespace pretrain {
namespace {

/// Of a head of a task's network.
std::string head_name(std::size_t head) {
  return head == 0 ? "painter" : comparing_heads[head - 1];
}

/// From red (-1) over white to blue (1); grey for what is no number.
std::string cosine_colour(double cosine) {
  constexpr std::array<double, 3> agreeing{29, 99, 196};
  constexpr std::array<double, 3> conflicting{194, 65, 12};
  if (!std::isfinite(cosine)) return "#d5d8dc";
  auto const& end = cosine < 0 ? conflicting : agreeing;
  std::ostringstream text;
  for (std::size_t c = 0; c < end.size(); ++c)
    text << (c > 0 ? "," : "rgb(") << std::lround(255 + std::abs(cosine) * (end[c] - 255));
  text << ')';
  return std::move(text).str();
}

/// What a column shows: one of the records in which both heads have a part.
struct drawn_record {
  gradient_record const* record = nullptr;
  std::vector<double> const* cosines = nullptr;
};

std::vector<drawn_record> columns_of(std::vector<gradient_record> const& records,
                                     std::string const& pair) {
  constexpr std::size_t most = 100;
  std::vector<drawn_record> all;
  for (auto const& record : records)
    for (auto const& of : record.pairs)
      if (of.heads == pair) all.push_back({&record, &of.cosines});
  std::size_t const every = std::max<std::size_t>(1, (all.size() + most - 1) / most);
  std::vector<drawn_record> shown;
  for (std::size_t i = 0; i < all.size(); i += every) shown.push_back(all[i]);
  return shown;
}

class gradient_drawing {
 public:
  explicit gradient_drawing(std::vector<gradient_record> const& records) {
    body_ << std::fixed << std::setprecision(1);
    std::vector<std::string> pairs;
    for (auto const& record : records)
      for (auto const& of : record.pairs)
        if (std::ranges::find(pairs, of.heads) == pairs.end()) pairs.push_back(of.heads);
    for (auto const& pair : pairs) draw_pair(pair, columns_of(records, pair));
  }

  /// A page gives drawings its own width and fonts: what must not change is in styles.
  std::string svg() const {
    if (top_ == 0) return {};  // no two heads in any record
    std::ostringstream text;
    text << std::fixed << std::setprecision(1)
         << "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 " << left_ + width_ + 8 << ' '
         << top_ + 4
         << "' role='img' aria-label='cosines of gradients' style='margin:0 auto;min-width:"
         << left_ + width_ << "px'>\n<rect width='100%' height='100%' fill='#fff'/>\n"
         << body_.str() << "</svg>\n";
    return std::move(text).str();
  }

 private:
  void text(double x, double y, std::string_view anchor, std::string_view words) {
    body_ << "<text x='" << x << "' y='" << y << "' text-anchor='" << anchor
          << "' style='fill:#1b1f24;font:" << font_ << "px sans-serif'>" << escaped(words)
          << "</text>\n";
  }

  void draw_pair(std::string const& pair, std::vector<drawn_record> const& columns) {
    constexpr int few_digits = 3;
    std::size_t const depths = columns.front().cosines->size();
    text(left_, top_ + font_ + 4, "start", pair);
    top_ += 2 * font_;
    double const cell = width_ / static_cast<double>(columns.size());
    for (std::size_t depth = 0; depth < depths; ++depth) {
      double const y = top_ + cell_height_ * static_cast<double>(depth);
      text(left_ - 6, y + cell_height_ - 3, "end", depth_name(depth, depths));
      for (std::size_t i = 0; i < columns.size(); ++i) {
        double const cosine = (*columns[i].cosines)[depth];
        body_ << "<rect x='" << left_ + cell * static_cast<double>(i) << "' y='" << y << "' width='"
              << cell << "' height='" << cell_height_ << "' fill='" << cosine_colour(cosine)
              << "'><title>step " << columns[i].record->step << ", " << depth_name(depth, depths)
              << ": " << number_text(cosine, few_digits) << "</title></rect>\n";
      }
    }
    top_ += cell_height_ * static_cast<double>(depths);
    text(left_, top_ + font_ + 2, "start", "step " + std::to_string(columns.front().record->step));
    if (columns.size() > 1)
      text(left_ + width_,
           top_ + font_ + 2,
           "end",
           "step " + std::to_string(columns.back().record->step));
    top_ += 2 * font_;
  }

  // In SVG units.
  static constexpr double cell_height_ = 14;
  static constexpr double left_ = 84;
  static constexpr double width_ = 520;
  static constexpr double font_ = 12;

  std::ostringstream body_;
  double top_ = 0;
};

}  // namespace

double gradient_record::whole_norm(of_head const& of) {
  double sum = 0;
  for (double const norm : of.norms) sum += norm * norm;
  return std::sqrt(sum);
}

double gradient_record::whole_cosine(std::size_t pair) const {
  std::size_t before = 0;
  std::size_t first = 0;
  while (pair - before >= heads.size() - first - 1) before += heads.size() - ++first;
  auto const& a = heads[first];
  auto const& b = heads[first + 1 + pair - before];
  double product = 0;
  for (std::size_t depth = 0; depth < a.norms.size(); ++depth)
    if (double const cosine = pairs[pair].cosines[depth]; !std::isnan(cosine))
      product += cosine * a.norms[depth] * b.norms[depth];
  return product / (whole_norm(a) * whole_norm(b));
}

gradient_record gradient_record_of(mae::step_report const& report, double epoch) {
  gradient_record record{.step = report.step, .epoch = epoch, .heads = {}, .pairs = {}};
  auto const& met = *report.gradients;
  auto const takes_part = [&](std::size_t head) {
    return report.heads[head].weight > 0 && report.heads[head].counted > 0;
  };
  for (std::size_t a = 0; a < met.heads; ++a) {
    if (!takes_part(a)) continue;
    auto& of = record.heads.emplace_back();
    of.head = head_name(a);
    for (std::size_t depth = 0; depth < met.depths; ++depth) of.norms.push_back(met.norm(depth, a));
    for (std::size_t b = a + 1; b < met.heads; ++b) {
      if (!takes_part(b)) continue;
      auto& pair = record.pairs.emplace_back();
      pair.heads = head_name(a).append("/").append(head_name(b));
      for (std::size_t depth = 0; depth < met.depths; ++depth)
        pair.cosines.push_back(met.cosine(depth, a, b));
    }
  }
  return record;
}

std::string depth_name(std::size_t depth, std::size_t depths) {
  if (depth == 0) return "embedding";
  if (depth + 1 == depths) return "norm";
  return std::string("block ").append(std::to_string(depth));
}

std::string draw_gradients(std::vector<gradient_record> const& records) {
  return gradient_drawing(records).svg();
}

}  // namespace pretrain
