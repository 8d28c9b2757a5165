#include "consumer.hpp"

#include <vector>

double loss_of(model const& network) {
  std::vector<float> const image(static_cast<std::size_t>(config.image.values()));
  std::vector<float> scores(static_cast<std::size_t>(model::num_patches));
  for (std::size_t i = 0; i < scores.size(); ++i) scores[i] = static_cast<float>(i % 4);
  mae::mask_plan plan(1, model::num_patches);
  plan.assign(0, {.visible = 3, .target = 9}, scores);
  return network.forward(image, plan).loss;
}
