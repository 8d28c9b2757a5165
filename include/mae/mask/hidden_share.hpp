#pragma once

#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>

#include <algorithm>
#include <string>

namespace mae {

/// Counts for an image of which every patch that is not visible is a target. `visible` is moved
/// into [1, patches - 1]: something to see, something to predict.
constexpr mask_counts split_patches(index_t patches, index_t visible) {
  index_t const seen = std::max<index_t>(1, std::min(visible, patches - 1));
  return {seen, patches - seen};
}

/// The same for the share `ratio` of hidden patches, counted as the official code counts.
constexpr mask_counts split_by_ratio(index_t patches, double ratio) {
  return split_patches(patches, visible_count(patches, ratio));
}

namespace detail {

[[noreturn]] inline void refuse_ratio(char const* name, double ratio) {
  throw config_error(std::string(name) + " must lie between 0 and 1, both excluded; it is " +
                     decimal_text(ratio));
}

}  // namespace detail

/// Returns `ratio`, or throws config_error where it would leave nothing to see or to predict.
constexpr double checked_ratio(char const* name, double ratio) {
  if (!(ratio > 0.0 && ratio < 1.0)) detail::refuse_ratio(name, ratio);
  return ratio;
}

}  // namespace mae
