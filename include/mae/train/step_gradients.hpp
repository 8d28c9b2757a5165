#pragma once

#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/network/coupled_step.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/train/batch_loader.hpp>
#include <mae/train/batch_options.hpp>
#include <mae/train/conflicts.hpp>
#include <mae/train/coupled_samples.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/fitting_batch.hpp>
#include <mae/train/gradient_memory.hpp>
#include <mae/train/gradients.hpp>
#include <mae/train/gradients_of.hpp>
#include <mae/train/head_meeting.hpp>
#include <mae/train/head_passes.hpp>
#include <mae/train/head_shares.hpp>
#include <mae/train/mask_gradients.hpp>
#include <mae/train/options.hpp>
#include <mae/train/report.hpp>
#include <mae/train/step_batches.hpp>
#include <mae/train/step_sums.hpp>
#include <mae/train/trainable.hpp>

#include <algorithm>
#include <bitset>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <type_traits>
#include <utility>

namespace mae {

/// The gradient of a step's loss: over its accumulated batches, the passes and the heads of each,
/// and all processes. Loads the images, and sums up what a step reports of its heads.
template <Trainable Model, Dataset D>
class step_gradients {
  using T = typename Model::scalar;
  using network_type = typename Model::network_type;
  using parts_type = typename network_type::parts_type;
  using gradients_type = gradient_sum<network_type>;
  using makers_type = std::remove_cvref_t<decltype(std::declval<Model const&>().label_makers())>;
  using mask_type = typename Model::mask_type;
  static constexpr std::size_t num_heads = network_type::num_heads;

 public:
  using of_each_head = typename parts_type::of_each_head;

  /// Of a model and options that have been checked; its name is none that programs give theirs,
  /// which compilers would take for shadowed. Throws config_error for passes that cannot be;
  /// device_memory_error, as trainer.
  template <Exchange E>
  step_gradients(Model& trained,
                 D const& dataset,
                 training_options const& options,
                 E const& exchange)
      : options_(options),
        batches_(passes_of(std::as_const(trained).mask(), heads_on(trained.sizes())),
                 dataset,
                 trained.mask(),
                 trained.sizes(),
                 trained.label_makers(),
                 trained.statistics(),
                 batch_options_of(options),
                 trained.backend().threads()),
        sums_(trained.sizes()),
        coupled_(trained.sizes(), options.samples() * options.accumulate),
        gradients_(make_for_batch(
            options.batch_size,
            [&, memory = memory_of_steps(options.accumulate, batches_.passes())](index_t size) {
              return gradients_of(trained, size * options.views, exchange, memory);
            })),
        mask_gradients_(trained.mask(), trained.sizes(), gradients_.schedule(), gradients_.own()),
        meeting_(trained.layout(), trained.sizes(), options) {}

  shard_schedule const& shards() const { return gradients_.schedule(); }
  /// The sum that `reduce` left, laid out as the parameters.
  std::span<T const> values() const { return gradients_.values(); }

  /// Forward and backward of the step `when` of these images, in which the heads have these
  /// weights; a device may still work when this returns. What it compares with beside the images:
  /// the network's average, where a head asks for it, and what `progress` has of earlier steps.
  template <Exchange E>
  void add(Model const& model,
           std::span<image_index const> images,
           training_moment const& when,
           of_each_head const& weights,
           typename network_type::values_type const& averaged,
           training_progress const& progress,
           E& exchange) {
    weights_ = weights;
    step_ = when.step;
    averaged_ = &averaged;
    earlier_ = &progress.keys;
    if constexpr (num_heads > 1) {
      if (meeting_.records(step_) || meeting_.rules()) add_apart(model, images, when, exchange);
      if (meeting_.rules()) return;
    }
    losses_ = begin_sum(model, images, when, exchange);
    add_all(model, images, when, exchange);
  }

  /// Loads the first batch of a step while a device works on another.
  void load_ahead(std::span<image_index const> images, training_moment const& when) {
    load(images, 0, when);
  }

  /// Sums up what was added, of all processes, after the progress so far, and says so in the step's
  /// report. Returns the divisor of `values`: see head_shares.
  template <Exchange E>
  double reduce(Model const& model,
                training_progress const& progress,
                step_report& report,
                E& exchange) {
    double const squared_norm = reduce_heads(model, progress, report, exchange);
    mask_gradients_.reduce(exchange, options_.painted_samples() * options_.accumulate);
    auto const counted = sums_.counted(exchange, network_type::coupling);
    double const divisor = shares_of(model.sizes(), weights_, counted).divisor;
    sums_.report(losses_, counted, report);
    report.gradient_norm = std::sqrt(squared_norm) / divisor;
    return divisor;
  }

  /// The step is done: what it leaves for later ones, where it counts.
  void finish_step(Model& model, training_progress& progress, bool counts) {
    mask_gradients_.finish_step(model.mask(), progress.mask, counts);
    if (!counts) return;
    if (options_.conflicts == conflict_rule::balance) progress.norms = meeting_.norms();
    coupled_.remember(model.sizes(), with_weight(weights_), progress.keys);
  }
  /// Of what a mask learns from.
  bool is_finite() const { return mask_gradients_.is_finite(); }

  /// What was loaded is loaded anew.
  void forget() { batches_.forget(); }

 private:
  /// Begins the sum of gradients of the heads that have a weight. Where W of several must be known,
  /// or images are coupled, it goes through the step's batches. Returns coupling heads' losses.
  template <Exchange E>
  of_each_head begin_sum(Model const& model,
                         std::span<image_index const> images,
                         training_moment const& when,
                         E& exchange) {
    gradients_.clear();
    auto const active = with_weight(weights_);
    if (active.count() == 1 && (active & coupled_.heads()).none()) {
      if (heads_on(model.sizes()).count() > 1)
        gradients_.share(head_shares<active.size()>::alone(active));
      return {};
    }
    sums_.clear(weights_);
    coupled_.clear();
    for_batches([&](index_t i, std::size_t pass) {
      auto const& batch = load(images, i, when, pass);
      sums_.count(exchange, batch, gradients_.first_image(), options_.samples());
      gradients_.embed(
          model.weights(), batch, i, coupled_, batches_.heads(pass) & active, averaged_);
    });
    auto const counted = sums_.counted(exchange, network_type::coupling);
    gradients_.share(shares_of(model.sizes(), weights_, counted));
    auto const step = static_cast<std::uint64_t>(when.step);
    stream_key const key{.seed = options_.seed, .use = purpose::couple, .index = step};
    return coupled_.couple(model.sizes(), active, key, exchange, images, earlier_);
  }

  /// Adds the gradients of the heads that share, and all else that a step sums up.
  template <Exchange E>
  void add_all(Model const& model,
               std::span<image_index const> images,
               training_moment const& when,
               E& exchange) {
    sums_.clear(weights_);
    mask_gradients_.clear();
    for_batches([&](index_t i, std::size_t pass) {
      auto const& batch = load(images, i, when, pass);
      sums_.count(exchange, batch, gradients_.first_image(), options_.samples());
      auto const told = mask_gradients_.told_of(batch);
      gradients_.add(model.weights(), batch, i, &coupled_, told, batches_.heads(pass));
      mask_gradients_.add(batches_.loader(), batch, model.mask(), model.backend().threads());
      sums_.add_zero_losses(
          exchange, batches_.loader(), batch, gradients_.first_image(), options_.samples());
    });
  }

  /// Sums up the gradient of each head by itself, and how they meet.
  template <Exchange E>
  void add_apart(Model const& model,
                 std::span<image_index const> images,
                 training_moment const& when,
                 E& exchange) {
    losses_ = begin_sum(model, images, when, exchange);
    auto const lane = model.backend().make_lane();
    bool is_first = true;
    for (std::size_t head = 0; head < num_heads; ++head) {
      if (weights_[head] == 0) continue;
      gradients_.begin_part(std::bitset<num_heads>().set(head));
      if (std::exchange(is_first, false))
        add_all(model, images, when, exchange);
      else
        for_batches([&](index_t i, std::size_t pass) {
          if (!batches_.heads(pass)[head]) return;
          auto const& batch = load(images, i, when, pass);
          gradients_.add(model.weights(), batch, i, &coupled_, {}, batches_.heads(pass));
        });
      reduce_sum(exchange);
      meeting_.take(lane, head, std::as_const(gradients_).values());
    }
    auto const counted = sums_.counted(exchange, network_type::coupling);
    meeting_.meet(model.backend(), shares_of(model.sizes(), weights_, counted));
  }

  /// Ends the sum of all heads, or makes it of what each of them amounts to. Returns its squared
  /// norm.
  template <Exchange E>
  double reduce_heads(Model const& model,
                      training_progress const& progress,
                      step_report& report,
                      E& exchange) {
    if constexpr (num_heads > 1) {
      if (meeting_.records(step_)) report.gradients = &meeting_.products();
      if (meeting_.rules())
        return meeting_.combine(
            model.backend(), model.sizes(), step_, weights_, progress.norms, gradients_.values());
    }
    return reduce_sum(exchange);
  }

  /// Adds the sum's losses. Returns its squared norm.
  template <Exchange E>
  double reduce_sum(E& exchange) {
    auto const sum = gradients_.reduce(exchange);
    std::ranges::transform(sum.losses, losses_, losses_.begin(), std::plus<>{});
    return sum.squared_norm;
  }

  /// body(number, pass) for each accumulated batch of a step, and each pass over it.
  template <class Body>
  void for_batches(Body const& body) const {
    for (index_t i = 0; i < options_.accumulate; ++i)
      for (std::size_t pass = 0; pass < batches_.passes(); ++pass) body(i, pass);
  }

  /// Loads the process's own samples of a step's accumulated batch, for a pass, if not yet there.
  auto const& load(std::span<image_index const> images,
                   index_t number,
                   training_moment const& when,
                   std::size_t pass = 0) {
    auto const size = static_cast<std::size_t>(options_.batch_size);
    auto const all = images.subspan(static_cast<std::size_t>(number) * size, size);
    return batches_.load({all, gradients_.first_image(), gradients_.last_image(), options_.views},
                         number,
                         when,
                         pass);
  }

  training_options options_;
  step_batches<batch_loader<D, mask_type, parts_type, makers_type, T>> batches_;
  step_sums<parts_type> sums_;
  typename gradients_type::coupled_type coupled_;
  gradients_type gradients_;  // takes what memory the rest leaves
  mask_gradients<mask_type, T> mask_gradients_;
  head_meeting<typename Model::backend_type, parts_type> meeting_;
  std::int64_t step_ = 0;  // that is summed
  of_each_head weights_{};
  of_each_head losses_{};
  typename network_type::values_type const* averaged_ = nullptr;  // in `add`
  key_queue const* earlier_ = nullptr;                            // likewise
};

}  // namespace mae
