// The library's own masks that learn, in trainings; what holds for all that learn is in
// learning_mask_test.cpp.
#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/io/mask_file.hpp>
#include <mae/io/model_file.hpp>
#include <mae/mask/learned.hpp>
#include <mae/mask/learning.hpp>
#include <mae/mask/sampling.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

namespace {

using mae::index_t;
using mae_test::small_config;
using mae_test::small_model;

mae_test::small_dataset const& images() {
  static auto const all = mae_test::painted_images(96, 3);
  return all;
}

constexpr mae::training_options options{.batch_size = 32, .steps = 12, .lr = 1e-3};

mae::learned_mask learned() {
  return {small_config, {.decided = 1, .network = {.hidden = 8, .lr = 1e-2}}};
}
mae::sampling_mask sampling() {
  return {small_config, {.network = {.hidden = 8, .lr = 1e-2}}};
}

/// All that a training leaves, bit by bit.
struct outcome {
  mae_test::training_state training;
  std::vector<std::vector<std::uint32_t>> mask;

  friend bool operator==(outcome const&, outcome const&) = default;
};

template <class Trainer>
outcome outcome_of(Trainer const& trainer) {
  outcome all{mae_test::state_of(trainer), {}};
  auto const& mask = trainer.model().mask();
  for (std::size_t k = 0; k < mask.state_names.size(); ++k)
    all.mask.push_back(mae_test::bits_of(mask.state(k)));
  return all;
}

template <class Mask>
void check_bits(Mask (*make)()) {
  auto const train = [&](int threads) {
    small_model<Mask> model(
        {.seed = 1, .mask = make(), .backend = mae::eigen_backend<float>(threads)});
    mae::trainer trainer(model, images(), options);
    trainer.run();
    return outcome_of(trainer);
  };
  auto const one = train(1);
  CHECK(one.mask[3] == mae_test::bits_of(std::array{11.0F}));  // updates: a step behind
  CHECK(train(2) == one);
  CHECK(train(3) == one);
}

template <class Mask>
void check_resume(Mask (*make)()) {
  mae_test::temporary_folder const folder;
  auto const file = folder.file("training.safetensors");
  small_model<Mask> model({.seed = 1, .mask = make()});
  mae::trainer whole(model, images(), options);
  for (int i = 0; i < 7; ++i) whole.step();
  mae::save_training(file, whole);
  whole.run();
  small_model<Mask> other({.seed = 1, .mask = make()});
  mae::trainer resumed(other, images(), options);
  mae::load_training(file, resumed);
  CHECK(resumed.progress().step == 7);
  resumed.run();
  CHECK(outcome_of(resumed) == outcome_of(whole));

  auto const saved = folder.file("model.safetensors");
  mae::save_model(saved, model);
  auto mask = make();
  REQUIRE(mae::load_mask(saved, mask));
  CHECK(mae_test::bits_of(mask.state(0)) == mae_test::bits_of(model.mask().state(0)));
}

/// May learn by its type, and does not.
class idle_mask : public mae::uniform_mask<mae::ratio{3, 4}> {
 public:
  std::vector<char const*> state_names;
  index_t num_sums() const { return 0; }
  void add_gradient(mae::mask_feedback const&, std::span<double>) const { FAIL("was told"); }
  void update(std::span<double const>, index_t) { FAIL("was updated"); }
  std::span<float const> state(std::size_t) const { return {}; }
  std::span<float> state(std::size_t) { return {}; }
};
static_assert(mae::LearningMask<idle_mask>);

template <class Mask>
std::vector<char> file_of_training(mae_test::temporary_folder const& folder) {
  auto const file = folder.file("training.safetensors");
  small_model<Mask> model({.seed = 1});
  mae::trainer trainer(model, images(), options);
  trainer.run();
  mae::save_training(file, trainer);
  mae::load_training(file, trainer);
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace

TEST_CASE("the masks that learn leave the same bits on any number of threads") {
  check_bits(learned);
  check_bits(sampling);
}

TEST_CASE("the masks that learn are resumed exactly, and are in a model's file") {
  check_resume(learned);
  check_resume(sampling);
}

TEST_CASE("a learned mask comes to order what is hard") {
  small_model<mae::learned_mask> model({.seed = 1, .mask = learned()});
  mae::trainer trainer(model, images(), {.batch_size = 32, .steps = 150, .lr = 2e-3});
  trainer.run();
  CHECK(model.mask().state(4)[0] > 0.6);  // agreement; 0.5 by chance
}

TEST_CASE("a mask that may learn and does not is trained and saved as one that cannot") {
  CHECK(!mae::learns(idle_mask()));
  CHECK(mae::learns(learned()));
  CHECK(!mae::learns(mae::uniform_mask<>(0.5)));
  mae_test::temporary_folder const folder;
  CHECK(file_of_training<idle_mask>(folder) ==
        file_of_training<mae::uniform_mask<mae::ratio{3, 4}>>(folder));
  idle_mask mask;
  CHECK(!mae::load_mask(folder.file("training.safetensors"), mask));
}
