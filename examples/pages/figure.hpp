#pragma once

#include "chart.hpp"

#include <cstddef>
#include <string>
#include <string_view>

// Charts and numbers within a page.

namespace pretrain {

/// A chart for pages: 360 units wide, in the page's colours, without title and legend, which the
/// page writes.
std::string render_figure(chart const& drawn);

/// The page's class for a chart's series of this number: the colours in turn, and one for what is
/// dashed.
std::string_view figure_look(chart_series const& series, std::size_t number);

/// A number with so many digits that count: "0.4521", "91.3"; "-" for what is not finite.
std::string number_text(double value, int digits);

}  // namespace pretrain
