#pragma once

#include "class_metrics.hpp"
#include "labelled_images.hpp"
#include "page.hpp"
#include "picture.hpp"

#include <span>
#include <string>
#include <vector>

// What a classifier takes for what, to be looked at. Classes without names are called by their
// numbers.

namespace tools {

/// A confusion matrix as SVG, on white: a row a class, a column what it was taken for, each cell
/// coloured by its share of the row. Of more than 40 classes the 40 that are most often in errors.
std::string draw_confusion(class_metrics const& found, std::vector<std::string> const& names);

/// The examples of each pair in a row.
pretrain::picture draw_confused(chosen_images const& images, std::span<confused_pair const> pairs);

/// The same for a report, with words.
std::vector<pretrain::page_section> confusion_sections(class_metrics const& found,
                                                       std::vector<std::string> const& names,
                                                       chosen_images const& images,
                                                       std::span<confused_pair const> pairs);

}  // namespace tools
