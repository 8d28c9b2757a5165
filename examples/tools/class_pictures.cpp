#include "class_pictures.hpp"

#include "markup.hpp"
#include "png_file.hpp"

#include <mae/core/types.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iomanip>
#include <numeric>
#include <sstream>
#include <string_view>
#include <utility>

namespace tools {
namespace {

using mae::index_t;

std::string name_of(std::vector<std::string> const& names, index_t number) {
  auto const at = static_cast<std::size_t>(number);
  return at < names.size() ? names[at] : std::to_string(number);
}

std::string images_text(index_t count) {
  return std::to_string(count) + (count == 1 ? " image" : " images");
}

/// The classes that are drawn, in their order.
std::vector<index_t> drawn_classes(class_metrics const& found, index_t classes) {
  constexpr index_t most_classes = 40;
  std::vector<index_t> all(static_cast<std::size_t>(classes));
  std::iota(all.begin(), all.end(), index_t{0});
  if (classes <= most_classes) return all;
  std::vector<index_t> errors(all.size());
  for (index_t row = 0; row < classes; ++row)
    for (index_t column = 0; column < classes; ++column) {
      if (row == column) continue;
      auto const images = found.confusion[static_cast<std::size_t>(row * classes + column)];
      errors[static_cast<std::size_t>(row)] += images;
      errors[static_cast<std::size_t>(column)] += images;
    }
  std::ranges::stable_sort(
      all, std::greater{}, [&](index_t k) { return errors[static_cast<std::size_t>(k)]; });
  all.resize(most_classes);
  std::ranges::sort(all);
  return all;
}

/// How a matrix of so many classes is laid out, in SVG units.
struct matrix_layout {
  double cell = 0;
  double names = 0;  // the room of the longest name
  double font = 0;
  bool has_numbers = true;

  static constexpr double axis = 24;  // of the words along an axis
  double left() const { return axis + names; }
  double top() const { return 8 + 0.75 * names; }  // names stand at 45 degrees
};

/// "a long name of a c..."; a character of UTF-8 stays whole.
std::string shortened(std::string const& name) {
  constexpr std::size_t most = 16;
  constexpr unsigned continues = 0x80;
  constexpr unsigned kind = 0xC0;
  std::size_t characters = 0;
  for (std::size_t at = 0; at < name.size(); ++at) {
    if ((static_cast<unsigned char>(name[at]) & kind) == continues) continue;
    if (++characters == most && name.size() - at > 1) return name.substr(0, at) + "\u2026";
  }
  return name;
}

matrix_layout layout_of(std::vector<index_t> const& classes,
                        std::vector<std::string> const& names) {
  constexpr std::size_t few = 12;
  constexpr std::size_t several = 20;
  matrix_layout layout{.cell = 18, .font = 12, .has_numbers = classes.size() <= several};
  if (classes.size() <= several) layout.cell = 32;
  if (classes.size() <= few) layout = {.cell = 44, .font = 15};
  std::size_t longest = 1;
  for (index_t const k : classes) longest = std::max(longest, shortened(name_of(names, k)).size());
  layout.names = 12 + 0.6 * layout.font * static_cast<double>(longest);
  return layout;
}

/// From white to blue on the diagonal, to orange elsewhere; by the share's root, so that few are
/// seen too.
std::string cell_colour(double strength, bool is_right) {
  constexpr std::array<double, 3> right{29, 99, 196};
  constexpr std::array<double, 3> wrong{194, 65, 12};
  std::ostringstream text;
  text << "rgb(";
  for (std::size_t c = 0; c < right.size(); ++c)
    text << (c > 0 ? "," : "")
         << std::lround(255 + strength * ((is_right ? right[c] : wrong[c]) - 255));
  text << ')';
  return std::move(text).str();
}

class matrix_drawing {
 public:
  matrix_drawing(class_metrics const& found, std::vector<std::string> const& names)
      : found_(found),
        names_(names),
        classes_(std::lround(std::sqrt(static_cast<double>(found.confusion.size())))),
        shown_(drawn_classes(found, classes_)),
        layout_(layout_of(shown_, names)) {
    begin();
    for (std::size_t i = 0; i < shown_.size(); ++i) draw_names(i);
    for (std::size_t row = 0; row < shown_.size(); ++row)
      for (std::size_t column = 0; column < shown_.size(); ++column) draw_cell(row, column);
    double const middle = side() / 2;
    text(layout_.left() + middle, layout_.top() + side() + 19, "middle", "taken for", "");
    text(0, 0, "middle", "class", turned(16, layout_.top() + middle, -90));
    out_ << "</svg>\n";
  }
  std::string svg() const { return out_.str(); }

 private:
  static constexpr char const* ink = "#1b1f24";

  double side() const { return layout_.cell * static_cast<double>(shown_.size()); }
  index_t images(index_t row, index_t column) const {
    return found_.confusion[static_cast<std::size_t>(row * classes_ + column)];
  }
  static std::string turned(double x, double y, int degrees) {
    std::ostringstream how;
    how << std::fixed << std::setprecision(1) << " transform='translate(" << x << ' ' << y
        << ") rotate(" << degrees << ")'";
    return std::move(how).str();
  }

  /// A page gives drawings its own width and fonts: what must not change is in styles.
  void begin() {
    constexpr std::size_t fit_a_telephone = 12;
    double const width = layout_.left() + side() + 0.75 * layout_.names;
    double const height = layout_.top() + side() + matrix_layout::axis + 4;
    out_ << std::fixed << std::setprecision(1)
         << "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 " << width << ' ' << height
         << "' role='img' aria-label='confusion matrix of " << shown_.size() << " of " << classes_
         << " classes' style='margin:0 auto;max-width:" << 1.2 * width << "px"
         << (shown_.size() > fit_a_telephone ? ";min-width:" : "");
    if (shown_.size() > fit_a_telephone) out_ << 0.8 * width << "px";
    out_ << "'>\n<rect width='100%' height='100%' fill='#fff'/>\n";
  }
  void text(double x,
            double y,
            std::string_view anchor,
            std::string_view words,
            std::string const& how,
            std::string_view colour = ink) {
    out_ << "<text x='" << x << "' y='" << y << "' text-anchor='" << anchor
         << "' style='fill:" << colour << ";font:" << layout_.font << "px sans-serif'" << how << '>'
         << pretrain::escaped(words) << "</text>\n";
  }
  void draw_names(std::size_t i) {
    double const along = layout_.cell * (static_cast<double>(i) + 0.5);
    auto const name = shortened(name_of(names_, shown_[i]));
    text(layout_.left() - 6, layout_.top() + along + layout_.font / 3, "end", name, "");
    text(0, 0, "start", name, turned(layout_.left() + along, layout_.top() - 6, -45));
  }
  void draw_cell(std::size_t row, std::size_t column) {
    constexpr double light_on = 0.6;
    index_t const truth = shown_[row];
    index_t const taken = shown_[column];
    index_t const count = images(truth, taken);
    index_t all = 0;
    for (index_t k = 0; k < classes_; ++k) all += images(truth, k);
    double const strength =
        all == 0 ? 0 : std::sqrt(static_cast<double>(count) / static_cast<double>(all));
    double const x = layout_.left() + layout_.cell * static_cast<double>(column);
    double const y = layout_.top() + layout_.cell * static_cast<double>(row);
    out_ << "<rect x='" << x << "' y='" << y << "' width='" << layout_.cell << "' height='"
         << layout_.cell << "' stroke='#d5dae0' fill='" << cell_colour(strength, row == column)
         << "'>";
    if (count > 0)
      out_ << "<title>" << pretrain::escaped(name_of(names_, truth)) << " as "
           << pretrain::escaped(name_of(names_, taken)) << ": " << count << " of " << all
           << "</title>";
    out_ << "</rect>\n";
    if (layout_.has_numbers && count > 0)
      text(x + layout_.cell / 2,
           y + layout_.cell / 2 + layout_.font / 3,
           "middle",
           std::to_string(count),
           " pointer-events='none'",
           strength > light_on ? "#fff" : ink);
  }

  class_metrics const& found_;
  std::vector<std::string> const& names_;
  index_t classes_;
  std::vector<index_t> shown_;
  matrix_layout layout_;
  std::ostringstream out_;
};

std::vector<pretrain::float_image> examples_of(chosen_images const& images,
                                               confused_pair const& pair) {
  std::vector<pretrain::float_image> shown;
  for (index_t const image : pair.examples) {
    shown.push_back({images.extent(), {}});
    shown.back().values.resize(static_cast<std::size_t>(images.extent().values()));
    images.read(image, shown.back().values);
  }
  return shown;
}

/// "cat as dog: 37 images".
std::string in_words(confused_pair const& pair, std::vector<std::string> const& names) {
  return name_of(names, pair.truth) + " as " + name_of(names, pair.predicted) + ": " +
         images_text(pair.images);
}

}  // namespace

std::string draw_confusion(class_metrics const& found, std::vector<std::string> const& names) {
  return matrix_drawing(found, names).svg();
}

pretrain::picture draw_confused(chosen_images const& images, std::span<confused_pair const> pairs) {
  std::vector<std::vector<pretrain::float_image>> rows;
  for (auto const& pair : pairs) rows.push_back(examples_of(images, pair));
  return pretrain::draw_grid(rows, pretrain::layout_for(images.extent(), 1));
}

std::vector<pretrain::page_section> confusion_sections(class_metrics const& found,
                                                       std::vector<std::string> const& names,
                                                       chosen_images const& images,
                                                       std::span<confused_pair const> pairs) {
  constexpr index_t most_width = 192;
  std::vector<pretrain::page_section> sections{
      {.title = "Confusion",
       .text = "Of the test images' classes (rows), what they were taken for (columns). The deeper "
               "the colour, the larger the share of the row; orange is wrong.",
       .drawing = draw_confusion(found, names)}};
  if (pairs.empty()) return sections;
  pretrain::page_section confused{
      .title = "Most often confused",
      .text =
          "Test images of a class that were taken for another; those that the model was surest "
          "of come first."};
  for (auto const& pair : pairs)
    confused.strips.push_back(
        {in_words(pair, names),
         std::string("test images, ") + in_words(pair, names),
         pretrain::png_of(pretrain::draw_strip(examples_of(images, pair), most_width)),
         static_cast<int>(pair.examples.size())});
  sections.push_back(std::move(confused));
  return sections;
}

}  // namespace tools
