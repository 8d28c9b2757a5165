#pragma once

#include "compared.hpp"
#include "encoding.hpp"
#include "images.hpp"
#include "options.hpp"
#include "target_sample.hpp"

#include <mae/core/config.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/pixel_noise.hpp>
#include <mae/mask/patch_levels.hpp>
#include <mae/mask/plan.hpp>
#include <mae/train/report.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace mae {
struct pretrained_model;
class thread_pool;
}  // namespace mae

namespace pretrain {

class chosen_mask;

/// Where and how a task computes.
struct compute_description {
  std::string backend;
  std::string precision;
  std::string device;           // the instruction set, or the GPU's name
  bool is_emulated = false;     // the processor has no instructions for this precision
  bool uses_processor = false;  // its instruction set decides the speed
};

/// Losses on held-out images: the painter's, and of predicting zero there; and those of heads after
/// it that are learned and couple no images.
struct heldout_losses {
  double loss = 0;
  double baseline = 0;
  of_comparing compared = none_compared();
};
/// Of the reports of a network's heads, the painter's first.
inline heldout_losses heldout_losses_of(std::span<mae::head_report const> heads) {
  heldout_losses found{.loss = heads[0].loss, .baseline = heads[0].baseline};
  for (std::size_t i = 1; i < heads.size(); ++i)
    if (heads[i].weight > 0 && heads[i].counted > 0) found.compared[i - 1] = heads[i].loss;
  return found;
}

/// A model and its training, whatever the backend and the precision: all that a session asks of
/// them. The rest of the program sees no template, and is compiled once. Members throw what the
/// library throws.
class training_task {
 public:
  training_task() = default;
  training_task(training_task const&) = delete;
  training_task& operator=(training_task const&) = delete;
  virtual ~training_task() = default;

  virtual compute_description compute() const = 0;
  virtual mae::model_config const& config() const = 0;
  virtual mae::pixel_statistics const& statistics() const = 0;
  /// What held-out images are spoilt by in pictures.
  virtual mae::pixel_noise const& noise() const = 0;
  virtual chosen_mask const& mask() const = 0;

  virtual std::int64_t steps_per_epoch() const = 0;
  virtual std::int64_t total_steps() const = 0;
  virtual std::int64_t step() const = 0;  // steps done
  virtual mae::step_report train_step() = 0;
  /// Trains to the end, or until a callback stops it; true at the end.
  virtual bool train(mae::training_callbacks const& callbacks) = 0;

  /// Goes on with a saved training.
  virtual mae::resume_report resume(std::filesystem::path const& file) = 0;
  virtual void save_training(std::filesystem::path const& file) const = 0;
  virtual void save_model(std::filesystem::path const& file) const = 0;
  virtual void save_encoder(std::filesystem::path const& file) const = 0;

  /// On the first `count` images.
  virtual heldout_losses evaluate_heldout(image_set const& images, mae::index_t count) const = 0;
  /// Encodes parts of `images`, which must outlive it, by a copy of the encoder as it stands: the
  /// mean patch token of each image, without a mask.
  virtual part_encoder feature_encoder(image_set const& images) const = 0;
  /// What is asked of the decoder and what it says: see target_sample. `images` as they are stored.
  virtual target_sample predict(std::span<float const> images,
                                mae::mask_plan const& plan) const = 0;
  /// Whole images as the model paints them where the plan hides them; in the units of `images`.
  /// Throws mae::config_error for targets that are no picture.
  virtual std::vector<float> paint(std::span<float const> images,
                                   mae::mask_plan const& plan) const = 0;
};

class chosen_objective;
struct beginning;
struct training_length;

/// What a task is made from; the images must outlive it.
struct task_parts {
  options const& settings;
  image_set const& images;  // to train on
  chosen_mask const& mask;
  chosen_objective const& objective;
  training_length const& length;
  beginning const& start;           // what to begin or go on with
  mae::patch_levels const& levels;  // of density, that tokens are told
  std::shared_ptr<mae::thread_pool> threads;
};

/// A task of the backend, precision and configuration that the command line chose. A GPU's throws
/// mae::device_error where there is none.
std::unique_ptr<training_task> make_task(task_parts const& parts);

// The same for each family of backends, in a file of its own.
std::unique_ptr<training_task> make_eigen_task(task_parts const& parts);  // a painter alone
std::unique_ptr<training_task> make_comparing_task(task_parts const& parts);
std::unique_ptr<training_task> make_cross_task(task_parts const& parts);
std::unique_ptr<training_task> make_thrust_task(task_parts const& parts);
std::unique_ptr<training_task> make_cuda_task(task_parts const& parts);

}  // namespace pretrain
