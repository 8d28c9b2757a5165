#pragma once

#include "chart.hpp"
#include "grading.hpp"
#include "images.hpp"
#include "interrupt.hpp"
#include "json_text.hpp"
#include "length.hpp"
#include "metrics.hpp"
#include "options.hpp"
#include "parts.hpp"
#include "picture.hpp"
#include "png_file.hpp"
#include "reconstructions.hpp"
#include "save_file.hpp"
#include "speed.hpp"
#include "summary.hpp"
#include "terminal.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/backend/tile/operand.hpp>
#include <mae/core/build_info.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/io/model_file.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/train/heldout.hpp>
#include <mae/train/trainer.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

namespace pretrain {

/// Every model that the program can train, in one precision: compiled once for all sizes.
template <class Operand>
using trained_model =
    mae::sized_autoencoder<chosen_mask, mae::eigen_backend<Operand>, chosen_objective>;

/// One run of the program: begins or resumes a training, watches it, and leaves its files in the
/// output folder.
template <class Operand>
class session {
  using backend_type = mae::eigen_backend<Operand>;
  using model_type = trained_model<Operand>;
  using trainer_type = mae::trainer<model_type, image_set>;
  using clock = std::chrono::steady_clock;

 public:
  /// Makes a model of one configuration from its parts.
  using maker = model_type (*)(typename model_type::parts);

  session(options const& settings,
          image_sets const& images,
          mae::model_config const& config,
          maker make_model)
      : settings_(settings),
        progress_(std::cout, style_for(1, settings.quiet), terminal_width(1)),
        images_(images),
        backend_(settings.threads),
        make_model_(make_model),
        model_(
            make_model({.seed = settings.seed,
                        .mask = make_mask(settings, images.train, config.patch, backend_.threads()),
                        .objective = make_objective(settings),
                        .backend = backend_})),
        saved_(settings.resume ? std::optional(read_saved_length(file("training.safetensors")))
                               : std::nullopt),
        length_(choose_length()),
        training_(model_, images.train, training_options_for(settings, length_)),
        metrics_(open_metrics()),
        grading_(size_of_grading(images, settings.probe_images)) {}

  /// Trains, grades, and writes everything. Throws what the library throws.
  void run() {
    announce();
    if (training_.progress().step == 0) evaluate_start();
    bool const done = train();
    save_checkpoint();
    finish(done);
  }

 private:
  std::filesystem::path file(char const* name) const { return settings_.out / name; }

  void say(std::string const& line) {
    if (settings_.quiet) return;
    progress_.finish();
    std::cout << line << std::endl;
  }

  // ---- before the training ---------------------------------------------------------------------

  /// The length; where the clock is the only limit, a few steps of another training are timed.
  training_length choose_length() {
    auto const per_epoch = images_.train.size() /
                           std::max<mae::index_t>(1, settings_.batch_size * settings_.accumulate);
    double measured = 1;
    if (limited_by_time_alone(settings_) && !saved_) measured = measure_step();
    return resolve_length(settings_, std::max<mae::index_t>(1, per_epoch), saved_, measured);
  }

  double measure_step() {
    constexpr double seconds = 4;
    say("measuring the speed, to fit the schedule to the time");
    model_type trial = make_model_({.seed = settings_.seed,
                                    .mask = model_.mask(),
                                    .objective = model_.objective(),
                                    .backend = backend_});
    trainer_type training(
        trial, images_.train, training_options_for(settings_, {.total_steps = 1'000'000}));
    training.step();  // warms up
    double spent = 0;
    int steps = 0;
    for (; steps < 2 || spent < seconds; ++steps) spent += training.step().seconds;
    return spent / steps;
  }

  /// Resumes if asked to, and opens the metrics where they stand then.
  metrics_log open_metrics() {
    if (!saved_) return metrics_log(file("metrics.jsonl"));
    auto const resumed = mae::load_training(file("training.safetensors").string(), training_);
    say("resumed after step " + std::to_string(resumed.step));
    if (resumed.schedule_changed())
      say("the training is longer than it was (" + std::to_string(resumed.total_steps) +
          " steps instead of " + std::to_string(resumed.previous_total_steps) +
          "): the learning rate's schedule was computed anew");
    return {file("metrics.jsonl"), resumed.step};
  }

  void announce() {
    auto const per_epoch = static_cast<double>(training_.steps_per_epoch());
    std::ostringstream text;
    text << std::fixed << std::setprecision(2) << model_name(settings_) << ": "
         << static_cast<double>(num_parameters()) / 1e6 << " M parameters; "
         << training_.total_steps() << " steps of " << step_images() << " images, "
         << static_cast<double>(training_.total_steps()) / per_epoch << " epochs; "
         << backend_.threads().size() << " threads, " << backend_type::precision() << ", "
         << mae::isa_name;
    say(text.str());
    if (!mae::has_fast_products<Operand>)
      say("this build has no instructions for bfloat16: --precision fp32 is faster here");
    std::string const unused = mae::unused_instructions();
    if (!unused.empty())
      say("this build does not use the processor's " + unused +
          " instructions and is several times slower for it: build with -march=native");
  }

  void evaluate_start() {
    add_heldout();
    if (settings_.probe == probe_choice::none) return;
    say("grading the untrained encoder, to compare with");
    add_probe();
  }

  // ---- the training ----------------------------------------------------------------------------

  /// True when the training is complete, false when it was interrupted or its time is up.
  bool train() {
    auto const start = clock::now();
    mae::training_callbacks callbacks;
    callbacks.on_step = [this](mae::step_report const& report) { after_step(report); };
    callbacks.on_epoch = [this](mae::epoch_report const& report) {
      last_epoch_loss_ = report.loss;
    };
    callbacks.should_stop = [this, start] {
      std::chrono::duration<double> const spent = clock::now() - start;
      return interrupted() || (length_.seconds && spent.count() > *length_.seconds);
    };
    bool const done = training_.run(callbacks);
    progress_.finish();
    if (!done) say(interrupted() ? "interrupted; saving" : "the time is up; saving");
    return done;
  }

  void after_step(mae::step_report const& report) {
    speed_.add(report);
    double const epochs = epochs_of(report.step);
    metrics_.add(training_record{.step = report.step,
                                 .epoch = epochs,
                                 .loss = report.loss,
                                 .baseline = report.baseline,
                                 .lr = report.lr,
                                 .gradient_norm = report.gradient_norm,
                                 .images_per_second = speed_.recent()});
    show_progress(report);
    bool const is_last = report.step == report.total_steps;
    if (report.step % steps_between_looks() == 0 && !is_last) {
      add_heldout();
      show_preview();
    }
    if (!report.ends_epoch || is_last) return;
    if (is_due(report.epoch + 1, settings_.save_every)) save_checkpoint();
    if (is_due(report.epoch + 1, settings_.probe_every)) add_probe();
  }

  static bool is_due(std::int64_t epochs_done, std::int64_t every) {
    return every > 0 && epochs_done % every == 0;
  }

  /// Held-out images are looked at once an epoch, and ten times in a training of few epochs.
  std::int64_t steps_between_looks() const {
    constexpr std::int64_t looks = 10;
    return std::max<std::int64_t>(
        1, std::min(training_.steps_per_epoch(), training_.total_steps() / looks));
  }

  void show_progress(mae::step_report const& report) {
    constexpr double inertia = 0.95;
    shown_loss_ = shown_loss_ ? inertia * *shown_loss_ + (1 - inertia) * report.loss : report.loss;
    auto const left = static_cast<double>((report.total_steps - report.step) * step_images());
    progress_.show(
        {.epoch = report.epoch + 1,
         .epochs = settings_.epochs,
         .step = report.step,
         .steps = report.total_steps,
         .done = static_cast<double>(report.step) / static_cast<double>(report.total_steps),
         .loss = *shown_loss_,
         .baseline = report.baseline,
         .lr = report.lr,
         .images_per_second = speed_.recent(),
         .seconds_left = left / speed_.recent()});
  }

  void add_heldout() {
    auto const heldout = mae::evaluate_heldout(model_, images_.test, settings_.heldout_images);
    metrics_.add(heldout_record{.step = training_.progress().step,
                                .epoch = epochs_of(training_.progress().step),
                                .loss = heldout.loss,
                                .baseline = heldout.baseline});
  }

  void add_probe() {
    auto const scores = grade_encoder(model_, images_, grading_, settings_.probe);
    metrics_.add(probe_record{.step = training_.progress().step,
                              .epoch = epochs_of(training_.progress().step),
                              .linear_top1 = scores.linear,
                              .knn_top1 = scores.knn});
  }

  void show_preview() {
    if (!settings_.preview) return;
    progress_.finish();
    auto const rows = reconstruct_rows(model_, images_.test, preview_images);
    std::cout << preview(rows, terminal_width(1)) << std::flush;
  }

  void save_checkpoint() { mae::save_training(file("training.safetensors").string(), training_); }

  // ---- after the training ----------------------------------------------------------------------

  void finish(bool done) {
    add_heldout();
    mae::save_model(file("model.safetensors").string(), model_);
    mae::save_encoder(file("encoder.safetensors").string(), model_);
    auto const rows = reconstruct_rows(model_, images_.test, sheet_images);
    save_png(draw_sheet(rows, layout_for(config().image, rows.size())),
             file("reconstructions.png"));
    show_preview();
    run_summary summary = describe_run(done);
    if (done && settings_.probe != probe_choice::none) {
      say("grading the encoder on " + std::to_string(grading_.train) + " training and " +
          std::to_string(grading_.test) + " test images");
      add_probe();
      auto const& probes = metrics_.history().probes;
      summary.trained = scores_of(probes.back());
      if (probes.front().step == 0) summary.untrained = scores_of(probes.front());
      if (summary.trained.linear)
        summary.pixels = grade_pixels(mae::eigen_backend<float>(backend_), images_, grading_);
    }
    save_text(file("loss.svg"), render_svg(loss_chart(metrics_.history())));
    summary.wall_seconds = std::chrono::duration<double>(clock::now() - start_).count();
    save_text(file("summary.json"), to_json(summary));
    progress_.finish();
    std::cout << to_text(summary, settings_.out) << std::flush;
  }

  run_summary describe_run(bool done) const {
    auto const& last = metrics_.history().heldout.back();
    return {.status = done ? "done" : "interrupted",
            .data = images_.name,
            .config = model_name(settings_),
            .mask = std::string(name(settings_.mask)),
            .objective = std::string(name(settings_.objective)),
            .precision = backend_type::precision(),
            .backend = backend_type::name(),
            .build = mae::build_info(),
            .threads = backend_.threads().size(),
            .seed = settings_.seed,
            .steps = training_.progress().step,
            .epochs = epochs_of(training_.progress().step),
            .batch_size = step_images(),
            .parameters = num_parameters(),
            .images_per_second = speed_.overall(),
            .final_loss = last_epoch_loss_ ? last_epoch_loss_ : shown_loss_,
            .heldout_loss = last.loss,
            .baseline_loss = last.baseline};
  }

  static probe_scores scores_of(probe_record const& record) {
    return {.linear = record.linear_top1, .knn = record.knn_top1};
  }

  mae::model_config const& config() const { return model_.sizes().config; }
  mae::index_t num_parameters() const {
    return mae::parameter_count(config(), config().patch_values());
  }
  mae::index_t step_images() const { return settings_.batch_size * settings_.accumulate; }
  double epochs_of(std::int64_t steps) const {
    return static_cast<double>(steps) / static_cast<double>(training_.steps_per_epoch());
  }

  static constexpr mae::index_t sheet_images = 8;
  static constexpr mae::index_t preview_images = 3;

  options const& settings_;
  progress_line progress_;
  image_sets const& images_;
  backend_type backend_;
  maker make_model_;
  model_type model_;
  std::optional<saved_length> saved_;
  training_length length_;
  trainer_type training_;
  metrics_log metrics_;
  grading_size grading_;
  training_speed speed_;
  std::optional<double> shown_loss_;
  std::optional<double> last_epoch_loss_;
  clock::time_point start_ = clock::now();
};

}  // namespace pretrain
