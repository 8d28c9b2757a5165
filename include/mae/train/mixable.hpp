#pragma once

#include <mae/core/error.hpp>
#include <mae/network/head.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/train/mixing.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace mae {

/// Throws config_error where images are to be mixed and a head's labels could not say so.
template <class... Heads>
void require_mixable(mixing const& settings, network_parts<Heads...> const& parts) {
  if (!settings.is_on()) return;
  std::size_t head = 0;
  auto const require = [&](bool can_be, std::string_view name) {
    if (parts.is_on(head++) && !can_be)
      throw config_error("the head " + std::string(name) +
                         " cannot learn from mixed images: leave mixup and cutmix out");
  };
  (require(learns_mixtures<Heads> || couples_samples<Heads>, Heads::name), ...);
}

}  // namespace mae
