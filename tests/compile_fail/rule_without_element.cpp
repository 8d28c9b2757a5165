// expect: rule.element(moment, arrays)
#include <mae/mae.hpp>

#include <array>
#include <string>

constexpr mae::model_config config{
    .image = {.height = 32, .width = 32, .channels = 3},
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 12, .width = 192, .heads = 3},
    .decoder = {.depth = 2, .width = 96, .heads = 3},
};

struct half_rule {
  static constexpr std::array state_names{"momentum"};
  std::string name() const { return "half"; }
  mae::settings_list settings() const { return {}; }
};

void train(mae::autoencoder<config>& model, mae::synthetic_dataset const& images) {
  mae::trainer<mae::autoencoder<config>, mae::synthetic_dataset, half_rule> training(
      model, images, {.batch_size = 8});
  training.run();
}
