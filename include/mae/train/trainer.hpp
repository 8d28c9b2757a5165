#pragma once

#include <mae/core/clock.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/fingerprint.hpp>
#include <mae/data/sampler.hpp>
#include <mae/mask/learning.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/staging.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/optimizer/optimizer.hpp>
#include <mae/optimizer/rule.hpp>
#include <mae/train/batch_options.hpp>
#include <mae/train/coupled_samples.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/non_finite.hpp>
#include <mae/train/options.hpp>
#include <mae/train/prepare_model.hpp>
#include <mae/train/report.hpp>
#include <mae/train/schedule.hpp>
#include <mae/train/scheduled_heads.hpp>
#include <mae/train/shard_schedule.hpp>
#include <mae/train/show_average.hpp>
#include <mae/train/step_gradients.hpp>
#include <mae/train/trainable.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

namespace mae {

/// Trains an encoder and its heads on a dataset. Owns the loop, the optimizer and the order of the
/// data; the model and the dataset are the caller's and outlive it. Parameters change by `Rule`.
/// The same seed gives the same parameters, bit for bit, for any number of threads, and of
/// processes that share each batch by an exchange and call the same members of trainers that were
/// made alike.
template <Trainable Model, Dataset D, UpdateRule Rule = adamw, Exchange E = alone>
class trainer {
  using T = typename Model::scalar;
  using backend_type = typename Model::backend_type;
  using parts_type = typename Model::network_type::parts_type;

  static constexpr bool may_load_ahead = !backend_type::uses_host_memory;

 public:
  /// Sets the model's pixel statistics to the dataset's, unless it has some. Throws config_error,
  /// and leaves the model as it was, for options or a rule that cannot be used, a mask policy
  /// whose max_visible lies outside [1, N], a dataset of another extent than the model's images or
  /// whose statistics are not finite, a batch that so many processes cannot share (sums_of_rank),
  /// steps of one image where a head couples images, a rule without the average that a head or a
  /// teacher asks for, more earlier keys than images; device_memory_error, which names a batch that
  /// would fit, where the device has too little memory.
  trainer(Model& model,
          D const& dataset,
          training_options const& options,
          Rule const& rule = {},
          E exchange = {})
      : options_(checked(options, rule, model)),
        exchange_(std::move(exchange)),
        sampler_(dataset.size(), options.batch_size * options.accumulate, options.seed),
        schedule_(schedule_of(options, sampler_.steps_per_epoch())),
        data_fingerprint_(fingerprint(dataset)),
        heads_(model.sizes(), options),
        model_(prepared(model, dataset, options, sampler_.batch_size(), exchange_)),
        optimizer_(model.layout(), rule, model.backend(), options.groups),
        gradients_(model, dataset, options_, exchange_) {
    optimizer_.begin(model.parameters().values());
    if (heads_asking_average(model.sizes()).any())
      averaged_ =
          bind_network<T const>(model.layout(), model.sizes(), optimizer_.state("average").data());
    show_average(model_, optimizer_, true);
  }
  template <class... Rest>  // in one line, which compilers show
  trainer(Model&, D const&& must_outlive_the_trainer, training_options const&, Rest...) = delete;

  training_options const& options() const { return options_; }
  Model& model() { return model_; }
  Model const& model() const { return model_; }
  training_progress const& progress() const { return progress_; }
  mae::optimizer<Rule, backend_type> const& optimizer() const { return optimizer_; }
  shard_schedule const& shards() const { return gradients_.shards(); }
  /// What tells the images from others.
  std::uint64_t data_fingerprint() const { return data_fingerprint_; }
  index_t num_images() const { return sampler_.dataset_size(); }
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
        callbacks.on_epoch(progress_.means(report.epoch));
      if (!is_done() && callbacks.should_stop && callbacks.should_stop()) return false;
    }
    return true;
  }

  /// One optimizer step: load, forward and backward of each accumulated batch, update.
  step_report step() {
    double const start = monotonic_seconds();
    step_report report = describe_step();
    auto const indices =
        sampler_.indices(static_cast<std::uint32_t>(report.epoch), step_of_epoch());
    auto const when = moment(progress_.step, report.epoch);
    auto const weights = heads_.weights(progress_.step, when.progress);
    gradients_.add(model_, indices, when, weights, averaged_, progress_, exchange_);
    if constexpr (may_load_ahead) load_ahead();
    double const divisor = gradients_.reduce(model_, progress_, report, exchange_);
    apply(report, divisor);
    report.seconds = monotonic_seconds() - start;
    return report;
  }

  /// Continues where a saved training stood, with the rule's states, which lie in the host's
  /// memory. The caller has put the parameters back.
  void resume(training_progress const& progress, std::span<std::span<T const> const> states) {
    optimizer_.resume(progress.optimizer_steps, states);
    progress_ = progress;
    show_average(model_, optimizer_, true);
    gradients_.forget();
  }

 private:
  static training_options const& checked(training_options const& options,
                                         Rule const& rule,
                                         Model const& of) {
    require_valid(options);
    require_valid(rule);
    require_average(of, rule);
    return options;
  }
  index_t step_of_epoch() const { return progress_.step % sampler_.steps_per_epoch(); }
  training_moment moment(std::int64_t step, index_t epoch) const {
    return {.step = step,
            .epoch = epoch,
            .progress = static_cast<double>(step) / static_cast<double>(total_steps())};
  }

  /// Loads the next step's first batch while a device works on this one. A mask that learns draws
  /// the next step's masks, and a teacher that follows encodes its images, when this step is done.
  void load_ahead() {
    std::int64_t const next = progress_.step + 1;
    if (next >= total_steps() || learns(std::as_const(model_).mask()) || has_follower(model_))
      return;
    index_t const epoch = next / sampler_.steps_per_epoch();
    gradients_.load_ahead(
        sampler_.indices(static_cast<std::uint32_t>(epoch), next % sampler_.steps_per_epoch()),
        moment(next, epoch));
  }

  step_report describe_step() const {
    return {.step = progress_.step + 1,
            .total_steps = total_steps(),
            .epoch = progress_.step / sampler_.steps_per_epoch(),
            .ends_epoch = step_of_epoch() + 1 == sampler_.steps_per_epoch(),
            .images = sampler_.batch_size(),
            .lr = schedule_(progress_.step)};
  }

  /// Updates the parameters, or leaves the step out where something is not finite.
  void apply(step_report& report, double divisor) {
    bool const finite =
        std::isfinite(report.loss) && std::isfinite(report.gradient_norm) && gradients_.is_finite();
    if (!finite && options_.non_finite == non_finite_policy::stop)
      throw numeric_error(report.step, non_finite_tensor(report));
    if (step_of_epoch() == 0) progress_.begin_epoch();
    ++progress_.step;
    report.skipped = !finite;
    gradients_.finish_step(model_, progress_, finite);
    if (!finite) return;
    double const clip =
        options_.clip > 0 ? std::min(1.0, options_.clip / (report.gradient_norm + 1e-6)) : 1.0;
    optimizer_.step(model_.parameters().values(),
                    gradients_.values(),
                    report.lr,
                    clip / divisor,
                    moment(report.step - 1, report.epoch).progress);
    show_average(model_, optimizer_, false);
    progress_.optimizer_steps = optimizer_.steps();
    progress_.count(report);
  }

  std::string non_finite_tensor(step_report const& report) const {
    if (!std::isfinite(report.loss)) return "the loss";
    if (std::isfinite(report.gradient_norm)) return "the gradient of the mask";
    host_values<backend_type> const gradients(model_.backend(), gradients_.values());
    return first_non_finite(model_.layout(), gradients.span());
  }

  training_options options_;
  E exchange_;
  epoch_sampler sampler_;
  cosine_schedule schedule_;
  std::uint64_t data_fingerprint_;
  scheduled_heads<parts_type> heads_;
  Model& model_;
  mae::optimizer<Rule, backend_type> optimizer_;
  typename Model::network_type::values_type averaged_;  // of it, where a head asks
  step_gradients<Model, D> gradients_;                  // takes what memory the rest leaves
  training_progress progress_;
};

}  // namespace mae
