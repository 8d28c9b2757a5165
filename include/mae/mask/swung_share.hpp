#pragma once

#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/hidden_share.hpp>

#include <cmath>
#include <string>

namespace mae {

/// The most visible patches of an image whose hidden share lies within `swing` of `ratio`. Throws
/// config_error, of the policy `name`, where an image would show less than a patch, or hide less
/// than one: the ratio would not be the mean.
inline index_t most_visible(char const* name, double ratio, double swing, index_t patches) {
  auto const all = static_cast<double>(patches);
  double const width = std::abs(swing);
  if (all * (1 - ratio - width) < 1 || all * (ratio - width) < 1)
    throw config_error(std::string(name) + ": with ratio " + decimal_text(ratio) + " and swing " +
                       decimal_text(swing) +
                       " an image would show, or hide, less than one of its " +
                       std::to_string(patches) + " patches: take a smaller swing");
  return split_patches(patches, static_cast<index_t>(all * (1 - ratio + width)) + 1).visible;
}

}  // namespace mae
