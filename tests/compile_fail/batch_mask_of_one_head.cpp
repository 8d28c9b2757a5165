// expect: a mask that counts with its batch is that of all heads
#include <mae/mask/batch_density.hpp>
#include <mae/mask/per_head.hpp>
#include <mae/mask/uniform.hpp>

/// A batch has one budget, and not one for each head.
mae::index_t most(mae::per_head_mask<mae::batch_density_mask, mae::uniform_mask<>> const& masks) {
  return masks.max_visible(64);
}
