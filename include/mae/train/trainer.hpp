#pragma once

#include <mae/core/clock.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/data/channel_statistics.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/fingerprint.hpp>
#include <mae/data/sampler.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/staging.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/optimizer/optimizer.hpp>
#include <mae/optimizer/rule.hpp>
#include <mae/train/batch_loader.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/fitting_batch.hpp>
#include <mae/train/gradients.hpp>
#include <mae/train/options.hpp>
#include <mae/train/report.hpp>
#include <mae/train/schedule.hpp>
#include <mae/train/shard_schedule.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mae {

/// Pre-trains an autoencoder on a dataset. Owns the loop, the optimizer and the order of the data;
/// the model and the dataset are the caller's and outlive it. Parameters change by `Rule`. The same
/// seed gives the same parameters, bit for bit, for any number of threads, and of processes that
/// share each batch by an exchange and call the same members of trainers that were made alike.
template <class Model, Dataset D, UpdateRule Rule = adamw, Exchange E = alone>
class trainer {
  using T = typename Model::scalar;
  using backend_type = typename Model::backend_type;
  using gradients_type = gradient_sum<typename Model::network_type>;

 public:
  /// Sets the model's pixel statistics to the dataset's, unless it has some. Throws config_error,
  /// and leaves the model as it was, for options or a rule that cannot be used, a mask policy
  /// whose max_visible lies outside [1, N], a dataset of another extent than the model's images or
  /// whose statistics are not finite, a batch that so many processes cannot share (lanes_of_rank);
  /// device_memory_error, which names a batch that would fit, where the device has too little
  /// memory.
  trainer(Model& model,
          D const& dataset,
          training_options const& options,
          Rule const& rule = {},
          E exchange = {})
      : options_(checked(options, rule)),
        exchange_(std::move(exchange)),
        sampler_(dataset.size(), options.batch_size * options.accumulate, options.seed),
        schedule_(checked_schedule()),
        data_fingerprint_(fingerprint(dataset)),
        model_(prepared(model, dataset)),
        loader_(dataset,
                model.mask(),
                model.objective(),
                model.sizes().config,
                model.statistics(),
                {.seed = options.seed, .augment = options.augment, .loss = model.loss()},
                model.backend().threads()),
        optimizer_(model.layout(), rule, model.backend()),
        gradients_(make_for_batch(options.batch_size,
                                  [&](index_t size) { return gradients_for(model, size); })) {
    optimizer_.begin(model.parameters().values());
  }
  template <class... Rest>  // in one line, which compilers show
  trainer(Model&, D const&& must_outlive_the_trainer, training_options const&, Rest...) = delete;

  training_options const& options() const { return options_; }
  Model& model() { return model_; }
  Model const& model() const { return model_; }
  training_progress const& progress() const { return progress_; }
  mae::optimizer<Rule, backend_type> const& optimizer() const { return optimizer_; }
  shard_schedule const& shards() const { return gradients_.schedule(); }
  /// What tells the images from others.
  std::uint64_t data_fingerprint() const { return data_fingerprint_; }
  index_t steps_per_epoch() const { return sampler_.steps_per_epoch(); }
  std::int64_t total_steps() const {
    return options_.steps.value_or(options_.epochs * sampler_.steps_per_epoch());
  }
  bool is_done() const { return progress_.step >= total_steps(); }

  /// Trains until the last step or until a callback stops it; true when the last step is done.
  /// Throws numeric_error in the step in which a loss or gradient is not finite, if so chosen.
  bool run(training_callbacks const& callbacks = {}) {
    while (!is_done()) {
      step_report const report = step();
      if (callbacks.on_step) callbacks.on_step(report);
      if (callbacks.on_epoch && (report.ends_epoch || is_done()))
        callbacks.on_epoch(describe_epoch(report.epoch));
      if (!is_done() && callbacks.should_stop && callbacks.should_stop()) return false;
    }
    return true;
  }

  /// One optimizer step: load, forward and backward of each accumulated batch, update.
  step_report step() {
    double const start = monotonic_seconds();
    step_report report = describe_step();
    gradients_.clear();
    auto const indices =
        sampler_.indices(static_cast<std::uint32_t>(report.epoch), step_of_epoch());
    double zero_loss = 0;
    for (index_t i = 0; i < options_.accumulate; ++i) {
      if (std::exchange(loaded_step_, no_step) != progress_.step)
        load(indices, i, moment(progress_.step, report.epoch));
      gradients_.add(model_.weights(), batch_);
      zero_loss += total_zero_loss();
    }
    if constexpr (!backend_type::uses_host_memory) load_ahead();
    auto const sum = gradients_.reduce(exchange_);
    auto const targets = static_cast<double>(gradients_.num_targets());
    report.loss = sum.loss / targets;
    report.baseline = zero_loss / targets;
    report.gradient_norm = std::sqrt(sum.squared_norm) / targets;
    apply(report, targets);
    report.seconds = monotonic_seconds() - start;
    return report;
  }

  /// Continues where a saved training stood, with the rule's states, which lie in the host's
  /// memory. The caller has put the parameters back.
  void resume(training_progress const& progress, std::span<std::span<T const> const> states) {
    optimizer_.resume(progress.optimizer_steps, states);
    progress_ = progress;
  }

 private:
  static training_options const& checked(training_options const& options, Rule const& rule) {
    require_valid(options);
    require_valid(rule);
    return options;
  }
  cosine_schedule checked_schedule() const {
    // An epoch's number is part of every random stream's, and has 32 bits there.
    constexpr index_t most_epochs = std::numeric_limits<std::uint32_t>::max();
    index_t const most_steps = sampler_.steps_per_epoch() * most_epochs;  // at most 2^31 steps each
    detail::require_that(
        options_.steps ? *options_.steps <= most_steps : options_.epochs <= most_epochs,
        "a training has at most 2^32 - 1 epochs");
    auto const per_epoch = static_cast<double>(sampler_.steps_per_epoch());
    cosine_schedule const schedule{.peak = options_.lr,
                                   .warmup_steps = options_.warmup_epochs * per_epoch,
                                   .total_steps = static_cast<double>(total_steps())};
    detail::require_that(schedule.warmup_steps < schedule.total_steps,
                         "the warm-up is as long as the whole training");
    return schedule;
  }
  static Model& prepared(Model& model, D const& dataset) {
    detail::require_that(
        dataset.extent() == model.sizes().config.image,
        "the dataset's images have another height, width or number of channels than the model's");
    max_visible(model);
    if (model.statistics().mean.empty())
      model.set_statistics(channel_statistics(dataset, model.backend().threads()));
    return model;
  }
  static index_t max_visible(Model const& model) {
    return checked_max_visible(model.mask(), model.sizes().config.num_patches());
  }
  gradients_type gradients_for(Model const& model, index_t batch_size) const {
    auto const schedule = schedule_shards(batch_size,
                                          max_visible(model) + 1,
                                          model.layout().size() * static_cast<index_t>(sizeof(T)),
                                          backend_type::shards);
    return {model.sizes(),
            model.layout(),
            model.weights(),
            schedule,
            max_visible(model),
            model.backend(),
            lanes_of_rank(schedule, exchange_.rank(), exchange_.ranks())};
  }
  index_t step_of_epoch() const { return progress_.step % sampler_.steps_per_epoch(); }

  training_moment moment(std::int64_t step, index_t epoch) const {
    return {.step = step,
            .epoch = epoch,
            .progress = static_cast<double>(step) / static_cast<double>(total_steps())};
  }

  /// Loads the process's own images of the accumulated batch `number` of a step that takes the
  /// images `indices`.
  void load(std::span<image_index const> indices, index_t number, training_moment const& when) {
    index_t const first = gradients_.first_image();
    loader_.load(indices.subspan(static_cast<std::size_t>(number * options_.batch_size + first),
                                 static_cast<std::size_t>(gradients_.last_image() - first)),
                 when,
                 batch_);
  }

  /// The loss of predicting zero of the batch's images, those of other processes included, added in
  /// the order of one process.
  double total_zero_loss() {
    if (exchange_.ranks() == 1) return batch_.zero_loss;
    zero_losses_.assign(static_cast<std::size_t>(options_.batch_size), 0.0);
    return sum_in_order(
        exchange_, loader_.zero_losses(), gradients_.first_image(), zero_losses_, received_losses_);
  }

  /// Loads the next step's first batch while a device works on this one.
  void load_ahead() {
    std::int64_t const next = progress_.step + 1;
    if (next >= total_steps()) return;
    index_t const epoch = next / sampler_.steps_per_epoch();
    load(sampler_.indices(static_cast<std::uint32_t>(epoch), next % sampler_.steps_per_epoch()),
         0,
         moment(next, epoch));
    loaded_step_ = next;
  }

  step_report describe_step() const {
    return {.step = progress_.step + 1,
            .total_steps = total_steps(),
            .epoch = progress_.step / sampler_.steps_per_epoch(),
            .ends_epoch = step_of_epoch() + 1 == sampler_.steps_per_epoch(),
            .images = sampler_.batch_size(),
            .lr = schedule_(progress_.step)};
  }

  void begin_epoch() {
    progress_.epoch_steps = 0;
    progress_.epoch_loss = 0;
    progress_.epoch_baseline = 0;
  }

  /// Updates the parameters, or leaves the step out where something is not finite.
  void apply(step_report& report, double targets) {
    bool const finite = std::isfinite(report.loss) && std::isfinite(report.gradient_norm);
    if (!finite && options_.non_finite == non_finite_policy::stop)
      throw numeric_error(report.step, non_finite_tensor(report));
    if (step_of_epoch() == 0) begin_epoch();
    ++progress_.step;
    report.skipped = !finite;
    if (!finite) return;
    double const clip =
        options_.clip > 0 ? std::min(1.0, options_.clip / (report.gradient_norm + 1e-6)) : 1.0;
    optimizer_.step(model_.parameters().values(),
                    gradients_.values(),
                    report.lr,
                    clip / targets,
                    moment(report.step - 1, report.epoch).progress);
    progress_.optimizer_steps = optimizer_.steps();
    ++progress_.epoch_steps;
    progress_.epoch_loss += report.loss;
    progress_.epoch_baseline += report.baseline;
  }

  std::string non_finite_tensor(step_report const& report) const {
    if (!std::isfinite(report.loss)) return "the loss";
    host_values<backend_type> const gradients(model_.backend(), gradients_.values());
    for (auto const& tensor : model_.layout().tensors()) {
      auto const values = gradients.span().subspan(static_cast<std::size_t>(tensor.offset),
                                                   static_cast<std::size_t>(tensor.size()));
      if (!std::ranges::all_of(values, [](T value) { return std::isfinite(value); }))
        return "the gradient of " + tensor.name;
    }
    return "the gradient's norm";
  }

  epoch_report describe_epoch(index_t epoch) const {
    auto const steps = static_cast<double>(progress_.epoch_steps);
    return {.epoch = epoch,
            .steps = progress_.epoch_steps,
            .loss = progress_.epoch_loss / steps,
            .baseline = progress_.epoch_baseline / steps};
  }

  static constexpr std::int64_t no_step = -1;

  training_options options_;
  E exchange_;
  epoch_sampler sampler_;
  cosine_schedule schedule_;
  std::uint64_t data_fingerprint_;
  Model& model_;
  batch_loader<D, typename Model::mask_type, typename Model::objective_type, T> loader_;
  mae::optimizer<Rule, backend_type> optimizer_;
  gradients_type gradients_;  // takes what memory the rest leaves
  training_batch<T> batch_;
  std::vector<double> zero_losses_, received_losses_;
  std::int64_t loaded_step_ = no_step;  // whose first batch was loaded ahead
  training_progress progress_;
};

}  // namespace mae
