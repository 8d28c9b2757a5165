#include "consumer.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/config.hpp>
#include <mae/core/isa.hpp>
#include <mae/mask/plan.hpp>

#include <cstdio>

constexpr mae::model_config config{
    .image = {.height = 20, .width = 21, .channels = 4},
    .patch = {.height = 5, .width = 7},
    .encoder = {.depth = 2, .width = 20, .heads = 5},
    .decoder = {.depth = 1, .width = 20, .heads = 5},
};
static_assert(mae::validated_config<config>::value.num_patches() == 12);

int main() {
  mae::eigen_backend<float> const backend(2);
  auto const plan = mae::mask_plan::all_visible(3, config.num_patches());
  std::printf("%s, %d threads\n", mae::isa_name, backend.threads().size());
  return product_sum() == 163.0F && plan.total().visible == 36 ? 0 : 1;
}
