#pragma once

#include <mae/core/buffer.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/annotation.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/normalise.hpp>
#include <mae/data/pixel_noise.hpp>
#include <mae/data/resize.hpp>
#include <mae/mask/learning.hpp>
#include <mae/mask/per_head.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/head.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/objective/sample.hpp>
#include <mae/patch/patchify.hpp>
#include <mae/train/batch_counts.hpp>
#include <mae/train/batch_noise.hpp>
#include <mae/train/batch_options.hpp>
#include <mae/train/choose_targets.hpp>
#include <mae/train/drop_path_scales.hpp>
#include <mae/train/image_views.hpp>
#include <mae/train/mixing.hpp>
#include <mae/train/row_weights.hpp>
#include <mae/train/seen_images.hpp>
#include <mae/train/training_batch.hpp>

#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

namespace mae {

/// Reads, varies, mixes, cuts, masks and normalises images, all cores at once. Every image's
/// randomness depends on seed, epoch, its number in the dataset and the view alone, so that it is
/// the same in batches of any size; how a batch is mixed on its first image's.
template <Dataset D, MaskPolicy M, class Parts, class Makers, class T>
class batch_loader {
  static constexpr std::size_t num_heads = Parts::num_heads;
  using each_head = std::make_index_sequence<num_heads>;
  static_assert(std::tuple_size_v<Makers> == num_heads, "each head has a maker of its labels");
  static_assert(fits_heads<M, num_heads>, "mae: per_head_mask has one policy for each head");

 public:
  using batch_type = training_batch<T, num_heads>;
  using heads_type = std::bitset<num_heads>;

  /// `makers` write the labels of the heads of `parts`, one each. Keeps references to dataset, mask
  /// and threads. Throws config_error for another extent than the model's, and other channels.
  batch_loader(D const& dataset,
               M const& mask,
               Parts parts,
               Makers makers,
               pixel_statistics statistics,
               batch_options const& options,
               thread_pool& threads)
      : dataset_(dataset),
        mask_(mask),
        parts_(std::move(parts)),
        makers_(std::move(makers)),
        config_(parts_.config),
        statistics_(std::move(statistics)),
        options_(options),
        threads_(threads) {
    if (dataset.extent() != config_.image)
      throw config_error("images of " + to_string(dataset.extent()) + " for a model of images of " +
                         to_string(config_.image));
    require_valid(statistics_, config_.image.channels);
    for (int worker = 0; worker < threads.size(); ++worker)
      workers_.emplace_back(dataset_, config_, options_, statistics_);
  }

  /// Fills `batch` with those of the whole batch's images that are to be loaded, for these heads,
  /// which are the same each time for the same batch. Allocates only for a batch larger than all
  /// before.
  void load(batch_images const& numbers,
            training_moment const& moment,
            batch_type& batch,
            heads_type const& heads = heads_type().set()) {
    index_t const images = numbers.size();
    first_head_ = first_of(heads & heads_on(parts_));
    mixture_ = mixture_of(numbers, moment);
    epoch_ = static_cast<std::uint32_t>(moment.epoch);
    batch.patch_values = config_.patch_values();
    batch.plan.resize(images, config_.num_patches());
    batch.branches = options_.drop_path > 0 ? 2 * config_.encoder.depth : 0;
    reserve(batch.branch_scales, images * batch.branches);
    reserve(batch.patches, images * config_.image.values());
    if (learns(mask_)) seen_.resize(images, config_.image.values());
    views_.resize(static_cast<std::size_t>(images));
    auto const see_one = [&](index_t i, batch_images const& all, int worker) {
      return see(i, all, moment, workers_[static_cast<std::size_t>(worker)]);
    };
    counts_.decide(mask_, numbers, config_.num_patches(), threads_, see_one);
    threads_.for_each(images, [&](index_t i, int worker) {
      load_image(i, numbers, moment, workers_[static_cast<std::size_t>(worker)], batch);
    });
    make_labels(each_head{}, numbers, heads, batch);
    if (options_.noise.is_on()) add_noise(options_, numbers, epoch_, threads_, batch);
  }

  /// Of the batch loaded last: each image's loss of a head whose prediction is zeros.
  std::span<double const> zero_losses(std::size_t head) const { return zero_losses_[head]; }
  /// Likewise: what the mask policy saw of each image.
  mask_context const& context_of(index_t image) const requires LearningMask<M> {
    return seen_.context_of(image);
  }

 private:
  struct scratch {
    scratch(D const& dataset,
            model_config const& sizes,
            batch_options const& options,
            pixel_statistics const& statistics)
        : view(dataset, options, statistics),
          partner(dataset, options, statistics),
          patches(static_cast<std::size_t>(sizes.image.values())),
          scores(static_cast<std::size_t>(sizes.num_patches())) {}

    image_views<D> view, partner;
    std::vector<float> patches, scores;
    annotation said;
  };

  static std::size_t first_of(heads_type const& heads) {
    std::size_t first = 0;
    while (first + 1 < num_heads && !heads[first]) ++first;
    return first;
  }

  /// Whole batches are mixed alike.
  mixture mixture_of(batch_images const& numbers, training_moment const& moment) const {
    if (!options_.mix.is_on() || numbers.all.empty()) return {};
    return random_mixture(options_.mix,
                          config_.image,
                          random_stream({.seed = options_.seed,
                                         .use = purpose::mix,
                                         .epoch = static_cast<std::uint32_t>(moment.epoch),
                                         .index = static_cast<std::uint64_t>(numbers.all[0])}));
  }

  /// Makes a sample's patches, in `work`, for its mask.
  mask_context see(index_t image,
                   batch_images const& numbers,
                   training_moment const& moment,
                   scratch& work) const {
    auto const at = [&](image_views<D>& views, image_index number) {
      return views(number, static_cast<std::uint32_t>(moment.epoch), numbers.view(image));
    };
    auto const pixels = at(work.view, numbers[image]);
    if (mixture_.own < 1)
      mix_images(mixture_, config_.image, at(work.partner, numbers.partner(image)), pixels);
    matrix_view<float> const patches(
        work.patches.data(), config_.num_patches(), config_.patch_values());
    patchify(pixels, config_.image, config_.patch, patches);
    return {.patches = patches,
            .channels = config_.image.channels,
            .grid_rows = config_.grid_rows(),
            .grid_columns = config_.grid_columns(),
            .patch_width = config_.patch.width,
            .step = moment.step,
            .epoch = moment.epoch,
            .progress = moment.progress,
            .dataset_index = static_cast<std::uint64_t>(numbers[image]),
            .head = first_head_};
  }

  void load_image(index_t image,
                  batch_images const& numbers,
                  training_moment const& moment,
                  scratch& work,
                  batch_type& batch) {
    mask_context const context = see(image, numbers, moment, work);
    views_[static_cast<std::size_t>(image)] = work.view.part();
    auto const key = [&](purpose use) { return numbers.key(image, use, options_.seed, epoch_); };
    random_stream random(key(options_.mask_purpose));
    counts_.plan(batch.plan, image, mask_, context, random, work.scores);
    choose_targets(batch.plan, image, options_, key(purpose::predict));
    if (learns(mask_)) seen_.keep(image, context);

    if (batch.branches > 0)
      drop_path_scales(key(purpose::drop_path),
                       options_.drop_path,
                       {batch.branch_scales.data() + image * batch.branches,
                        static_cast<std::size_t>(batch.branches)});

    normalise_pixels(work.patches, statistics_);
    std::copy(work.patches.begin(),
              work.patches.end(),
              batch.patches.data() + image * config_.image.values());
  }

  template <std::size_t... I>
  void make_labels(std::index_sequence<I...> /*each*/,
                   batch_images const& numbers,
                   heads_type const& heads,
                   batch_type& batch) {
    ((heads[I] ? make_labels_of<I>(numbers, batch) : void()), ...);
  }
  template <std::size_t I>
  void make_labels_of(batch_images const& numbers, batch_type& batch) {
    using head_type = std::tuple_element_t<I, decltype(parts_.heads)>;
    if constexpr (!couples_samples<head_type>) {
      static_assert(LabelMaker<std::tuple_element_t<I, Makers>, T>,
                    "a head's labels have no maker");
      if (!parts_.is_on(I)) return;
      head_type const& head = std::get<I>(parts_.heads);
      auto& labels = batch.labels[I];
      labels.width = head.label_width();
      lay_out_labels(head, config_, batch.plan, labels);
      auto& zero_losses = zero_losses_[I];
      zero_losses.assign(static_cast<std::size_t>(numbers.size()), 0.0);
      counted_.assign(zero_losses.size(), 0);
      bool const weighs = I == 0 && learns(mask_) && weighs_targets(mask_);
      if (I == 0) reserve_row_weights(weighs, batch);
      threads_.for_each(numbers.size(), [&](index_t i, int worker) {
        auto const at = static_cast<std::size_t>(i);
        auto const rows = labels.of(i, i + 1);
        matrix_view<T> const written(
            labels.values.data() + labels.offsets[at] * labels.width, rows.rows, rows.cols);
        auto sample = sample_of(i, numbers, batch);
        annotate<head_type>(sample, workers_[static_cast<std::size_t>(worker)].said);
        std::get<I>(makers_).label(sample, written);
        counted_[at] = head.num_counted(rows);
        zero_losses[at] = weighs ? weigh_rows(mask_, seen_.context_of(i), head, i, batch)
                                 : head.loss_of_zero(rows);
      });
      labels.counted = std::accumulate(counted_.begin(), counted_.end(), index_t{0});
      labels.weight = static_cast<double>(labels.counted);
      if (weighs)
        labels.weight =
            std::accumulate(batch.image_weights.begin(), batch.image_weights.end(), 0.0);
      labels.zero_loss = std::accumulate(zero_losses.begin(), zero_losses.end(), 0.0);
    }
  }
  image_sample<T> sample_of(index_t image,
                            batch_images const& numbers,
                            batch_type const& batch) const {
    return {.config = config_,
            .patches = batch.patches_of(image, image + 1),
            .targets = batch.plan.target(image),
            .visible = batch.plan.visible(image),
            .index = numbers[image],
            .label = dataset_.label(numbers[image]),
            .partner_label = dataset_.label(numbers.partner(image)),
            .own_share = mixture_.own,
            .view = views_[static_cast<std::size_t>(image)],
            .noise = noise_level(options_.noise, noise_key(options_, numbers, image, epoch_))};
  }
  /// What the dataset says of the image's places, where the head wants to know.
  template <class H>
  void annotate(image_sample<T>& image, annotation& room) const {
    if constexpr (AnnotatedDataset<D> && requires { requires H::reads_annotations; }) {
      dataset_.annotate(image.index, room);
      image.said = &room;
    }
  }

  D const& dataset_;
  M const& mask_;
  Parts parts_;
  Makers makers_;
  model_config config_;
  pixel_statistics statistics_;
  batch_options options_;
  thread_pool& threads_;
  std::vector<scratch> workers_;
  batch_counts<M> counts_;
  mixture mixture_;                                         // of the batch loaded last
  std::uint32_t epoch_ = 0;                                 // likewise
  std::size_t first_head_ = 0;                              // of those it is for
  std::array<std::vector<double>, num_heads> zero_losses_;  // (B)
  std::vector<index_t> counted_;                            // (B), of one head
  std::vector<image_crop> views_;                           // (B), of the batch loaded last
  seen_images seen_;                                        // likewise, of a mask that learns
};

}  // namespace mae
