// expect: mask.counts_of_batch(wishes, patches, visible)
#include <mae/mask/uniform.hpp>
#include <mae/train/batch_counts.hpp>

#include <span>

/// Wishes for what nobody would decide: counts_of_batch is misspelt.
struct hopeful_mask : mae::uniform_mask<mae::ratio{3, 4}> {
  static constexpr bool counts_with_batch() { return true; }
  double wish(mae::mask_context const&) const { return 1; }
  void count_of_batch(std::span<double const>, mae::index_t, std::span<mae::index_t>) const {}
};

mae::batch_counts<hopeful_mask> const counts;
