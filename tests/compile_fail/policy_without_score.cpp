// expect: mask.score(image, random, scores)
#include <mae/core/random.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>

#include <span>

struct half_mask {
  mae::index_t max_visible(mae::index_t patches) const { return patches / 2; }
  mae::mask_counts counts(mae::mask_context const&, mae::random_stream&) const { return {8, 8}; }
};

void plan(mae::mask_plan& out, mae::random_stream& random, std::span<float> scratch) {
  mae::plan_image(out, 0, half_mask{}, mae::mask_context{}, random, scratch);
}
