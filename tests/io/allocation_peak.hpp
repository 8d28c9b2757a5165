#pragma once

#include <cstddef>

/// Watches what `operator new` hands out in the whole program, from its construction on.
class allocation_peak {
 public:
  allocation_peak();
  /// The most bytes that were in use at once, beyond those in use at construction.
  std::size_t bytes() const;

 private:
  std::size_t start_;
};
