#pragma once

#include <mae/core/buffer.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/augment.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/normalise.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>
#include <mae/objective/objective.hpp>
#include <mae/op/patch_loss.hpp>
#include <mae/patch/patchify.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace mae {

/// All that the network needs of a batch: B images of N patches of P values, W targets in all.
template <class T>
struct training_batch {
  mask_plan plan;
  index_t patch_values = 0;  // P
  index_t target_width = 0;
  host_buffer<T> patches;               // (B * N, P), normalised
  host_buffer<T> targets;               // (W, target width), image after image
  std::vector<index_t> target_offsets;  // (B + 1), image i has rows [offsets[i], offsets[i + 1])
  double zero_loss = 0;                 // the loss of predicting zero, summed over targets

  index_t images() const { return plan.images(); }
  index_t num_targets() const { return target_offsets.back(); }
  /// The patches of images [first, last).
  matrix_view<T const> patches_of(index_t first, index_t last) const {
    index_t const count = plan.patches();
    return {patches.data() + first * count * patch_values, (last - first) * count, patch_values};
  }
  /// The targets of images [first, last).
  matrix_view<T const> targets_of(index_t first, index_t last) const {
    index_t const begin = target_offsets[static_cast<std::size_t>(first)];
    index_t const end = target_offsets[static_cast<std::size_t>(last)];
    return {targets.data() + begin * target_width, end - begin, target_width};
  }
};

/// Where a training stands, for masks that change with it.
struct training_moment {
  std::int64_t step = 0;
  index_t epoch = 0;
  double progress = 0;  // in [0, 1]
};

/// What a batch_loader makes its batches by.
struct batch_options {
  std::uint64_t seed = 0;
  purpose mask_purpose = purpose::mask;
  std::optional<augmentation> augment = {};  // none: images as they are
  patch_loss loss = {};                      // by which predicting zero is judged
};

/// Reads, varies, cuts, masks and normalises images, all cores at once. Every image's randomness
/// depends on seed, epoch and its number in the dataset alone, so that its views and masks are the
/// same in batches of any size.
template <Dataset D, MaskPolicy M, Objective O, class T>
class batch_loader {
 public:
  /// Keeps references to all but the statistics and the options. Throws config_error for a dataset
  /// of another extent than the model's images, and for statistics of other channels.
  batch_loader(D const& dataset,
               M const& mask,
               O const& objective,
               model_config const& config,
               pixel_statistics statistics,
               batch_options const& options,
               thread_pool& threads)
      : dataset_(dataset),
        mask_(mask),
        objective_(objective),
        config_(config),
        statistics_(std::move(statistics)),
        options_(options),
        threads_(threads) {
    if (dataset.extent() != config.image)
      throw config_error("images of " + to_string(dataset.extent()) + " for a model of images of " +
                         to_string(config.image));
    require_valid(statistics_, config.image.channels);
    for (int worker = 0; worker < threads.size(); ++worker)
      workers_.emplace_back(config, options.augment.value_or(augmentation{}));
  }

  /// Fills `batch` with the images of these numbers. Allocates only for a batch larger than all
  /// before.
  void load(std::span<image_index const> indices,
            training_moment const& moment,
            training_batch<T>& batch) {
    auto const images = static_cast<index_t>(indices.size());
    batch.patch_values = config_.patch_values();
    batch.target_width = objective_.target_width(config_);
    batch.plan.resize(images, config_.num_patches());
    reserve(batch.patches, images * config_.image.values());
    threads_.for_each(images, [&](index_t i, int worker) {
      load_image(i,
                 indices[static_cast<std::size_t>(i)],
                 moment,
                 workers_[static_cast<std::size_t>(worker)],
                 batch);
    });

    batch.plan.target_offsets(batch.target_offsets);
    // As many as there can be, so that no ragged batch needs more than one before it.
    reserve(batch.targets, images * (config_.num_patches() - 1) * batch.target_width);
    zero_losses_.assign(indices.size(), 0.0);
    threads_.for_each(images, [&](index_t i, int /*worker*/) { make_targets(i, batch); });
    batch.zero_loss = 0;
    for (double const loss : zero_losses_) batch.zero_loss += loss;
  }

  /// Of the batch loaded last: each image's loss of predicting zero.
  std::span<double const> zero_losses() const { return zero_losses_; }

 private:
  struct scratch {
    scratch(model_config const& config, augmentation const& augment)
        : stored(static_cast<std::size_t>(config.image.values())),
          varied(stored.size()),
          patches(stored.size()),
          scores(static_cast<std::size_t>(config.num_patches())),
          augmenter(config.image, augment) {}

    std::vector<float> stored, varied, patches, scores;
    mae::augmenter augmenter;
  };

  template <class U>
  static void reserve(host_buffer<U>& buffer, index_t size) {
    if (buffer.size() < size) buffer = host_buffer<U>(size);
  }

  void load_image(index_t image,
                  index_t index,
                  training_moment const& moment,
                  scratch& work,
                  training_batch<T>& batch) {
    auto const number = static_cast<std::uint64_t>(index);
    auto const epoch = static_cast<std::uint32_t>(moment.epoch);
    dataset_.read(index, work.stored);
    std::span<float const> pixels = work.stored;
    if (options_.augment) {
      random_stream random(
          {.seed = options_.seed, .use = purpose::augment, .epoch = epoch, .index = number});
      work.augmenter(work.stored, random, work.varied);
      pixels = work.varied;
    }
    matrix_view<float> const patches(
        work.patches.data(), config_.num_patches(), config_.patch_values());
    patchify(pixels, config_.image, config_.patch, patches);

    random_stream random(
        {.seed = options_.seed, .use = options_.mask_purpose, .epoch = epoch, .index = number});
    mask_context const context{.patches = patches,
                               .channels = config_.image.channels,
                               .grid_rows = config_.grid_rows(),
                               .grid_columns = config_.grid_columns(),
                               .step = moment.step,
                               .epoch = moment.epoch,
                               .progress = moment.progress,
                               .dataset_index = number};
    plan_image(batch.plan, image, mask_, context, random, work.scores);

    normalise_pixels(work.patches, statistics_);
    std::ranges::copy(work.patches, batch.patches.data() + image * config_.image.values());
  }

  void make_targets(index_t image, training_batch<T>& batch) {
    auto const first = batch.target_offsets[static_cast<std::size_t>(image)];
    matrix_view<T> const targets(batch.targets.data() + first * batch.target_width,
                                 batch.plan.counts(image).target,
                                 batch.target_width);
    objective_.target(
        config_, batch.patches_of(image, image + 1), batch.plan.target(image), targets);
    zero_losses_[static_cast<std::size_t>(image)] =
        loss_of_zero(options_.loss, matrix_view<T const>(targets));
  }

  D const& dataset_;
  M const& mask_;
  O const& objective_;
  model_config config_;
  pixel_statistics statistics_;
  batch_options options_;
  thread_pool& threads_;
  std::vector<scratch> workers_;
  std::vector<double> zero_losses_;  // (B)
};

}  // namespace mae
