#pragma once

#include "choices.hpp"
#include "command_line.hpp"
#include "compared.hpp"
#include "saved_settings.hpp"

#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/data/augment.hpp>
#include <mae/data/colour_changes.hpp>
#include <mae/data/pixel_noise.hpp>
#include <mae/images/image_limits.hpp>
#include <mae/network/layout.hpp>
#include <mae/optimizer/with_average.hpp>
#include <mae/train/conflicts.hpp>
#include <mae/train/head_schedule.hpp>

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace pretrain {

/// How often a training is saved on its way.
struct save_interval {
  std::int64_t epochs = 1;        // 0: at the end alone, unless the clock says otherwise
  std::optional<double> seconds;  // instead of epochs
};

/// Everything the command line decides. `parse` leaves no field to be guessed later; a field is
/// optional only where its absence has a meaning of its own.
struct options {
  std::string data;  // a folder, "synthetic", or empty: see find_data
  unreadable_choice unreadable = unreadable_choice::stop;
  mae::index_t max_pixels = mae::image_limits{}.pixels;  // of a picture
  test_choice tests;
  std::filesystem::path out = "runs/cifar10";
  bool resume = false;
  save_interval save_every;

  model_choice config = model_choice::quick4;
  int decoder_depth = 0;  // blocks
  decoder_choice decoder = decoder_choice::self;
  std::filesystem::path init;  // a checkpoint to begin with, or empty
  std::string fit;             // how pictures become images, and are resampled; both are empty
  std::string resample;        // where the command line does not say
  objective_choice objective = objective_choice::normalised;
  mae::index_t hog_cell = 0;  // pixels of a side; 0: from the patch
  mae::index_t hog_bins = 9;
  mae::hog_form hog_form = mae::hog_form::maskfeat;
  std::optional<mae::index_t> principal_drop;  // absent: as many as an image has channels
  mae::index_t principal_patches = 65'536;
  std::filesystem::path teacher;  // a checkpoint, or the word for the moving average
  mae::index_t teacher_blocks = 1;
  mae::average_options teacher_momentum = {};
  static constexpr char const* moving_average = "ema";
  bool follows_student() const {
    return objective == objective_choice::teacher && teacher == moving_average;
  }
  double contrast = 0;  // weights of heads; 0: it is off
  double sigreg = 0;
  double uniformity = 0;
  double perceptual = 0;
  double denoiser = 0;
  mae::index_t perceptual_block = 0;  // after which tokens are compared; 0: the encoder's last
  double temperature = 0.2;           // of contrast
  key_choice keys = key_choice::own;
  mae::index_t predictor = 0;      // its hidden values; 0: none
  mae::index_t queue = 0;          // earlier keys
  mae::index_t views = 1;          // of each image in a step
  mae::local_crops local = {};     // of those, the last so many
  mae::index_t painted_views = 0;  // of those, the first so many; 0: all
  double predicted_share = 1;      // of the hidden patches
  double visible_loss = 0;         // weight of a visible patch's loss
  mae::pixel_noise noise;          // on what the encoder sees
  std::vector<mae::head_schedule> head_schedules;
  mae::conflict_rule conflicts = mae::conflict_rule::sum;
  mae::index_t alternate = 0;         // steps of a head's turn
  mae::index_t record_gradients = 0;  // steps from one record of them to the next; 0: none
  mae::index_t frozen = 0;            // see update_groups
  double frozen_from = 0;

  /// Whether an average of the parameters is kept beside them.
  bool keeps_average() const {
    return follows_student() || (contrast > 0 && keys == key_choice::moving);
  }
  bool compares_views() const { return contrast > 0 || sigreg > 0; }
  bool compares_images() const { return compares_views() || uniformity > 0; }
  /// The weights of comparing_heads, in their order.
  of_comparing weights_beside() const {
    return {contrast, sigreg, uniformity, perceptual, denoiser};
  }
  /// Whether a head other than the painter has a gradient of its own.
  bool has_heads_beside() const { return compares_images() || denoiser > 0; }
  /// Whether a head learns beside the painter, or through it.
  bool learns_beside() const { return has_heads_beside() || perceptual > 0; }
  statistics_choice statistics = statistics_choice::data;
  bool statistics_asked = false;  // --statistics was given, which a checkpoint may contradict
  mae::linear_start linears = mae::linear_start::xavier;
  mae::position_table positions = mae::position_table::sincos;
  mask_choice mask = mask_choice::uniform;
  double mask_ratio = 0.75;  // share of patches hidden: uniform, or saliency's average image
  double mask_from = 0.60;   // first ratio of a ramp, least of a random ratio
  double mask_to = 0.85;     // last ratio of a ramp, greatest of a random ratio
  double ramp_begins = 0;    // progress between which a ramp moves
  double ramp_ends = 1;
  double saliency_strength = 0.5;  // beta; 0 masks uniformly, below 0 hides busy patches more often
  std::filesystem::path mask_file;
  bool more_masks = false;  // than images are allowed in it
  density_choice mask_measure = density_choice::variance;
  mask_budget_choice mask_budget = mask_budget_choice::training;
  double mask_swing = 0.15;  // see density_mask
  std::vector<double> levels_from = {0.9, 0.75, 0.6};
  std::vector<double> levels_to = {0.6, 0.75, 0.9};
  mask_period_choice mask_period = mask_period_choice::training;
  double mask_decided = 0.5;                              // see learned_mask
  std::optional<mae::hard_patches> mask_hard;             // absent: the mask's own
  double mask_entropy = 1e-2;                             // see sampling_mask
  target_weights mask_targets = target_weights::weighed;  // see gate_mask
  double mask_lr = 1e-3;
  double mask_at = 1;              // progress at which it is shown
  mae::index_t density_token = 0;  // levels that tokens are told; 0: none
  mae::told_tokens density_token_at = mae::told_tokens::visible;

  std::optional<std::int64_t> epochs;  // of the whole training, a resumed part included
  std::optional<std::int64_t> steps;   // likewise
  std::optional<double> minutes;       // of this run

  mae::index_t batch_size = 0;    // images of one micro-batch
  bool batch_fits = false;        // to a smaller set: it is the configuration's, not the user's
  mae::index_t accumulate = 1;    // micro-batches of one optimizer step
  double lr = 1e-3;               // absolute; without meaning where base_lr is given
  std::optional<double> base_lr;  // for 256 images a step
  double weight_decay = 0.05;
  double clip = 1.0;                    // greatest global norm of the gradient; 0 clips nothing
  std::optional<double> warmup_epochs;  // absent: warmup_steps, or 5% of a shorter training
  std::int64_t warmup_steps = 0;        // the configuration's own; 0: it has none
  mae::augmentation augment;
  mae::colour_changes colours;

  probe_choice probe = probe_choice::both;
  std::int64_t probe_every = 0;         // epochs; 0 probes at the end alone
  mae::index_t probe_images = 0;        // training images that a probe looks at; 0: all
  mae::index_t heldout_images = 1'000;  // of the test set; 0: all
  backend_choice backend = backend_choice::eigen;
  precision_choice precision = precision_choice::fp32;
  std::uint64_t seed = 0;
  int threads = 0;  // 0: one for every core that the process may use
  bool preview = false;
  bool quiet = false;
  bool tensorboard = false;
  bool dry_run = false;
  saved_settings repeated;   // of --settings
  mae::settings_list flags;  // that decide the result: what --settings would repeat
};

/// How large a picture may be.
flag max_pixels_flag(options& o);

/// Reads the command line. Returns nothing when it asks for help or the version, which are
/// then written to `out`.
/// Throws usage_error.
std::optional<options> parse(int argc, char const* const* argv, std::ostream& out);

/// What a program calls itself in summaries.
inline constexpr char const* program_name = "cifar10_pretrain";

/// The flag that chooses the pictures for tests.
flag test_flag(test_choice& tests);

/// Lowers a configuration's own batch size to what a set of so many training images allows, and
/// says so on `notes`. Throws mae::config_error for one of the user's that is too large.
void fit_batch(options& o, mae::index_t images, std::ostream& notes);

/// Throws usage_error, with what to do, for a backend that this program was built without.
void require_backend(backend_choice backend);

/// The learning rate after warm-up: `lr`, or `base_lr` times the images of a step over 256.
double peak_learning_rate(options const& settings);

/// The model's name in reports: the configuration, and the decoder's depth where it is not the
/// configuration's own ("tiny4-decoder6").
std::string model_name(options const& settings);

/// Whether the clock alone ends the training, so that the schedule must follow the time.
bool limited_by_time_alone(options const& settings);

}  // namespace pretrain
