// expect: must_outlive_views
#include <mae/data/memory_dataset.hpp>

#include <vector>

mae::index_t number_of_images() {
  auto const images = mae::memory_dataset<float>::view(
      std::vector<float>(32 * 32 * 3), {.extent = {.height = 32, .width = 32}}, {});
  return images.size();
}
