#include "session.hpp"

#include "assumed.hpp"
#include "beginning.hpp"
#include "chart.hpp"
#include "chosen_mask.hpp"
#include "chosen_objective.hpp"
#include "configs.hpp"
#include "feature_health.hpp"
#include "gradient_record.hpp"
#include "grading.hpp"
#include "images.hpp"
#include "interrupt.hpp"
#include "json_text.hpp"
#include "length.hpp"
#include "loss_chart.hpp"
#include "metrics.hpp"
#include "options.hpp"
#include "output_folder.hpp"
#include "picture.hpp"
#include "png_file.hpp"
#include "reconstructions.hpp"
#include "save_file.hpp"
#include "saving.hpp"
#include "speed.hpp"
#include "summary.hpp"
#include "target_health.hpp"
#include "tensorboard_log.hpp"
#include "terminal.hpp"
#include "training_report.hpp"
#include "training_task.hpp"

#include <mae/core/build_info.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/head/decoder.hpp>
#include <mae/mask/patch_levels.hpp>
#include <mae/train/report.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <limits>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pretrain {
namespace {

constexpr mae::index_t sheet_images = 8;

/// Not a number where the head has no part in the step.
double learned(mae::head_report const& head, double mae::head_report::*value) {
  return head.weight > 0 ? head.*value : std::numeric_limits<double>::quiet_NaN();
}

/// The losses of the heads after the painter.
of_comparing compared_of(mae::step_report const& report) {
  auto compared = none_compared();
  for (std::size_t i = 0; i + 1 < report.heads.size(); ++i)  // a painter alone has none
    compared[i] = learned(report.heads[i + 1], &mae::head_report::loss);
  return compared;
}
constexpr mae::index_t preview_images = 3;

probe_scores scores_of(probe_record const& record) {
  return {.linear = record.linear_top1, .knn = record.knn_top1};
}

class session {
  using clock = std::chrono::steady_clock;

 public:
  session(options const& settings, image_sets const& images, beginning start);

  /// Trains, grades, and writes everything. Throws what the library throws.
  void run();

 private:
  std::filesystem::path file(char const* name) const { return settings_.out / name; }
  void say(std::string const& line);
  void warn(std::string const& line);
  template <class Record>
  void add_record(Record const& record);

  // before the training
  std::unique_ptr<training_task> make_task_of(training_length const& length) const;
  training_length choose_length();
  double measure_step();
  metrics_log open_metrics();
  void announce();
  bool evaluate_start();

  // the training
  bool train();
  void after_step(mae::step_report const& report);
  std::int64_t steps_between_looks() const;
  void show_progress(mae::step_report const& report);
  void add_heldout();
  bool add_probe();
  void add_health();
  target_health health_of_targets(mae::index_t images) const;
  void add_mask();
  std::vector<float> features_of(image_set const& images, mae::index_t count) const;
  void show_preview();
  void look();
  void write_report(run_summary const& summary, bool is_running);
  void close_report();
  void keep_steps_before_trouble();

  // after it
  void finish(bool done);
  void grade(run_summary& summary);
  run_summary describe_run(bool done) const;

  mae::index_t num_parameters() const;
  mae::settings_list flags_to_repeat() const;
  double seconds_so_far() const {
    return std::chrono::duration<double>(clock::now() - start_).count();
  }
  mae::index_t step_images() const { return settings_.batch_size * settings_.accumulate; }
  double epochs_of(std::int64_t steps) const;

  clock::time_point start_ = clock::now();  // first: what is measured before training counts
  options const& settings_;
  progress_line progress_;
  image_sets const& images_;
  std::shared_ptr<mae::thread_pool> threads_;
  chosen_mask mask_;
  beginning start_with_;  // the checkpoint until the task has taken its values
  mae::patch_levels levels_;
  chosen_objective objective_;
  training_length length_;
  std::unique_ptr<training_task> task_;
  metrics_log metrics_;
  training_report report_;
  bool report_failed_ = false;
  std::optional<tensorboard_log> events_;
  std::optional<image_set> health_crops_;
  std::string said_collapse_;
  periodic_saving saving_;
  grading_size grading_;
  training_speed speed_;
  std::optional<double> shown_loss_;
  std::optional<double> last_epoch_loss_;
};

session::session(options const& settings, image_sets const& images, beginning start)
    : settings_(settings),
      progress_(std::cout, style_for(1, settings.quiet), terminal_width(1)),
      images_(images),
      threads_(std::make_shared<mae::thread_pool>(settings.threads)),
      mask_(make_mask(settings, images.train, config_of(settings), *threads_)),
      start_with_(std::move(start)),
      levels_(make_levels(
          settings, images.train, config_of(settings), start_with_.levels(), *threads_)),
      objective_(make_objective(settings, images.train, start_with_, *threads_)),
      length_(choose_length()),
      task_(make_task_of(length_)),
      metrics_(open_metrics()),
      report_(start_with_.saved ? training_report(file(output::report), task_->step())
                                : training_report(file(output::report))),
      saving_(settings.save_every,
              file(output::training),
              [this](std::string const& line) { warn(line); }),
      grading_(size_of_grading(images, settings.probe_images)) {
  start_with_.initial.reset();
  if (settings.tensorboard) events_.emplace(settings.out / "tensorboard", metrics_.history());
}

void session::run() {
  announce();
  bool done = false;
  try {
    done = (task_->step() > 0 || evaluate_start()) && train();
  } catch (...) {
    close_report();
    throw;
  }
  if (!done) say(interrupted() ? "interrupted; saving" : "the time is up; saving");
  finish(done);
}

void session::say(std::string const& line) {
  if (settings_.quiet) return;
  progress_.finish();
  std::cout << mae::printable(line) << std::endl;
}

/// Quiet or not.
void session::warn(std::string const& line) {
  progress_.finish();
  std::cerr << "warning: " << mae::printable(line) << std::endl;
}

template <class Record>
void session::add_record(Record const& record) {
  bool const failed = metrics_.problem().has_value();
  metrics_.add(record);
  if (!failed && metrics_.problem())
    warn(std::string(metrics_.problem()->what()) +
         "; the training goes on, and every step tries again");
  if (!events_) return;
  events_->add(record);
  if (events_->is_whole()) return;
  warn(file("tensorboard").string() +
       ": cannot be written; the training goes on without it, and --resume --tensorboard writes "
       "all of it");
  events_.reset();
}

// ---- before the training -----------------------------------------------------------------------

std::unique_ptr<training_task> session::make_task_of(training_length const& length) const {
  return make_task(
      {settings_, images_.train, mask_, objective_, length, start_with_, levels_, threads_});
}

/// The length; where the clock is the only limit, a few steps of another training are timed.
training_length session::choose_length() {
  if (start_with_.initial)
    check_statistics(settings_, *start_with_.initial, images_.train, *threads_, std::cerr);
  auto const per_epoch = images_.train.size() / std::max<mae::index_t>(1, step_images());
  double measured = 1;
  if (limited_by_time_alone(settings_) && !start_with_.saved) measured = measure_step();
  return resolve_length(
      settings_, std::max<mae::index_t>(1, per_epoch), start_with_.saved, measured);
}

double session::measure_step() {
  constexpr double seconds = 4;
  say("measuring the speed, to fit the schedule to the time");
  auto const trial = make_task_of({.total_steps = 1'000'000});
  trial->train_step();  // warms up
  double spent = 0;
  int steps = 0;
  for (; steps < 2 || spent < seconds; ++steps) spent += trial->train_step().seconds;
  return spent / steps;
}

/// Resumes if asked to, and opens the metrics where they stand then.
metrics_log session::open_metrics() {
  if (!start_with_.saved) return metrics_log(file(output::metrics));
  auto const resumed = task_->resume(file(output::training));
  say("resumed after step " + std::to_string(resumed.step));
  if (!resumed.knows_images) {
    progress_.finish();
    say_assumed(std::cerr,
                "these are the images of that training: its file is older and does not say; --data "
                "says otherwise");
  }
  if (resumed.schedule_changed())
    say("the training is longer than it was (" + std::to_string(resumed.total_steps) +
        " steps instead of " + std::to_string(resumed.previous_total_steps) +
        "): the learning rate's schedule was computed anew");
  return {file(output::metrics), resumed.step};
}

void session::announce() {
  auto const compute = task_->compute();
  std::ostringstream text;
  text << std::fixed << std::setprecision(2) << model_name(settings_) << ": "
       << static_cast<double>(num_parameters()) / 1e6 << " M parameters; " << task_->total_steps()
       << " steps of " << step_images() << " images, " << epochs_of(task_->total_steps())
       << " epochs; " << compute.backend << ", " << compute.precision << ", " << compute.device
       << ", " << threads_->size() << " threads";
  say(text.str());
  say("targets: " + describe_targets(objective_, task_->config()));
  say("reconstructions.png: original, " +
      std::string(mask_.hides_nothing() ? "as noise spoils it, " : "masked, ") +
      shown_of(objective_));
  if (!settings_.init.empty()) say("beginning with the values of " + settings_.init.string());
  if (compute.is_emulated)
    say("this build has no instructions for bfloat16: --precision fp32 is faster here");
  std::string const unused = compute.uses_processor ? mae::unused_instructions() : "";
  if (!unused.empty())
    say("this build does not use the processor's " + unused +
        " instructions and is several times slower for it: build with -march=native");
}

/// False when the user interrupted it.
bool session::evaluate_start() {
  look();
  if (settings_.probe == probe_choice::none) return !interrupted();
  say("grading the untrained encoder, to compare with");
  return add_probe();
}

// ---- the training ------------------------------------------------------------------------------

/// True when the training is complete, false when it was interrupted or its time is up.
bool session::train() {
  auto const start = clock::now();
  mae::training_callbacks callbacks;
  callbacks.on_step = [this](mae::step_report const& report) { after_step(report); };
  callbacks.on_epoch = [this](mae::epoch_report const& report) {
    if (!settings_.learns_beside()) last_epoch_loss_ = report.loss;  // else it is of all heads
  };
  callbacks.should_stop = [this, start] {
    std::chrono::duration<double> const spent = clock::now() - start;
    return interrupted() || (length_.seconds && spent.count() > *length_.seconds);
  };
  try {
    bool const done = task_->train(callbacks);
    progress_.finish();
    return done;
  } catch (mae::numeric_error const&) {
    progress_.finish();
    keep_steps_before_trouble();
    throw;
  }
}

/// A step that is not finite changed nothing. What stood before it is saved where no save is there
/// yet; over an earlier one it is not: that may be from before the trouble began.
void session::keep_steps_before_trouble() {
  if (std::filesystem::exists(file(output::training))) return;
  try {
    task_->save_training(file(output::training));
  } catch (mae::error const& refused) {
    warn(refused.what());
  }
}

void session::after_step(mae::step_report const& report) {
  speed_.add(report);
  add_record(training_record{.step = report.step,
                             .epoch = epochs_of(report.step),
                             .loss = learned(report.heads[0], &mae::head_report::loss),
                             .baseline = learned(report.heads[0], &mae::head_report::baseline),
                             .lr = report.lr,
                             .gradient_norm = report.gradient_norm,
                             .images_per_second = speed_.recent(),
                             .compared = compared_of(report)});
  if (report.gradients != nullptr) add_record(gradient_record_of(report, epochs_of(report.step)));
  show_progress(report);
  bool const is_last = report.step == report.total_steps;
  if (report.step % steps_between_looks() == 0 && !is_last) {
    look();
    show_preview();
  }
  if (is_last) return;
  saving_.after_step(*task_, report);
  if (report.ends_epoch && settings_.probe_every > 0 &&
      (report.epoch + 1) % settings_.probe_every == 0)
    add_probe();
}

/// Held-out images are looked at once an epoch, and ten times in a training of few epochs.
std::int64_t session::steps_between_looks() const {
  constexpr std::int64_t looks = 10;
  return std::max<std::int64_t>(1,
                                std::min(task_->steps_per_epoch(), task_->total_steps() / looks));
}

void session::show_progress(mae::step_report const& report) {
  constexpr double inertia = 0.95;
  double const loss = learned(report.heads[0], &mae::head_report::loss);
  if (!std::isnan(loss))
    shown_loss_ = shown_loss_ ? inertia * *shown_loss_ + (1 - inertia) * loss : loss;
  auto const left = static_cast<double>((report.total_steps - report.step) * step_images());
  progress_.show(
      {.epoch = report.epoch + 1,
       .epochs = settings_.epochs,
       .step = report.step,
       .steps = report.total_steps,
       .done = static_cast<double>(report.step) / static_cast<double>(report.total_steps),
       .loss = std::isnan(loss) ? loss : *shown_loss_,
       .baseline = report.heads[0].baseline,
       .compared = compared_of(report),
       .lr = report.lr,
       .images_per_second = speed_.recent(),
       .seconds_left = left / speed_.recent()});
}

/// Once a step: an interrupted training and its resumption both ask.
void session::add_heldout() {
  auto const& measured = metrics_.history().heldout;
  if (!measured.empty() && measured.back().step == task_->step()) return;
  auto const heldout = task_->evaluate_heldout(images_.test, settings_.heldout_images);
  add_record(heldout_record{.step = task_->step(),
                            .epoch = epochs_of(task_->step()),
                            .loss = heldout.loss,
                            .baseline = heldout.baseline,
                            .compared = heldout.compared});
}

/// False when the user interrupted it.
bool session::add_probe() {
  auto const scores =
      grade_encoder(*task_, images_, grading_, settings_.probe, threads_, progress_);
  if (!scores) return false;
  add_record(probe_record{.step = task_->step(),
                          .epoch = epochs_of(task_->step()),
                          .linear_top1 = scores->linear,
                          .knn_top1 = scores->knn});
  return true;
}

/// What the features of a few held-out images tell without labels; once a step, too.
void session::add_health() {
  constexpr mae::index_t most_images = 256;
  constexpr mae::index_t most_predicted = 32;
  auto const& measured = metrics_.history().health;
  if (!measured.empty() && measured.back().step == task_->step()) return;
  mae::index_t count = std::min(most_images, images_.test.size());
  if (settings_.heldout_images > 0) count = std::min(count, settings_.heldout_images);
  if (count < 2) return;
  if (!health_crops_) health_crops_ = crops_of(images_.test, count);
  auto const whole = features_of(images_.test, count);
  auto const crops = features_of(*health_crops_, count);
  auto const width = std::ssize(whole) / count;
  auto const found = measure_health({whole.data(), count, width}, {crops.data(), count, width});
  auto const targets = health_of_targets(std::min(most_predicted, count));
  add_record(health_record{.step = task_->step(),
                           .epoch = epochs_of(task_->step()),
                           .effective_rank = found.effective_rank,
                           .alignment = found.alignment,
                           .uniformity = found.uniformity,
                           .deviation = found.deviation,
                           .images = count,
                           .target_variance = targets.target_variance,
                           .prediction_variance = targets.prediction_variance,
                           .prediction_rank = targets.prediction_rank});
  auto const collapse = collapse_in(metrics_.history().health);
  auto what = collapse.substr(0, collapse.find(':'));  // the figures after it are others each time
  if (what != said_collapse_ && !what.empty()) warn(collapse);
  said_collapse_ = std::move(what);
}

/// Of hidden patches; not known where none are.
target_health session::health_of_targets(mae::index_t images) const {
  constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
  if (task_->mask().hides_nothing()) return {unknown, unknown, unknown};
  auto const plan = plan_of_pictures(images, task_->config().num_patches());
  return measure_targets(task_->predict(read_images(images_.test, images), plan), plan);
}

/// What a mask that learns says of itself, when it has learned; once a step, too.
void session::add_mask() {
  constexpr std::int64_t first = 2;  // a step late
  auto const& said = metrics_.history().masks;
  if (task_->step() < first || (!said.empty() && said.back().step == task_->step())) return;
  mask_record const record{.step = task_->step(),
                           .epoch = epochs_of(task_->step()),
                           .agreement = task_->mask().number("agreement"),
                           .entropy = task_->mask().number("entropy")};
  if (record.agreement || record.entropy) add_record(record);
}

std::vector<float> session::features_of(image_set const& images, mae::index_t count) const {
  auto const encoder = task_->feature_encoder(images);
  std::vector<float> all;
  for (mae::index_t first = 0; first < count; first += encoder.images) {
    auto const part = encoder.features(first, std::min(encoder.images, count - first));
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

/// Looks at held-out images, and shows what is seen in the report.
void session::look() {
  add_heldout();
  add_health();
  add_mask();
  write_report(describe_run(false), true);
}

/// Paints, and writes the report; what fails is a warning, the first time.
void session::write_report(run_summary const& summary, bool is_running) {
  try {
    report_.add(task_->step(),
                epochs_of(task_->step()),
                reconstruct_rows(*task_, objective_, images_.test, sheet_images));
    report_.add_masks(*task_, images_.test, epochs_of(task_->step()));
    report_.write({settings_, summary, metrics_.history(), task_->total_steps(), is_running});
    report_failed_ = false;
  } catch (mae::error const& refused) {
    if (!std::exchange(report_failed_, true))
      warn(std::string(refused.what()) + "; the training goes on, and the report is tried again");
  }
}

/// After an error: a page that nobody writes any more is not to be loaded anew for ever.
void session::close_report() {
  if (metrics_.history().heldout.empty()) return;
  auto summary = describe_run(false);
  summary.status = "ended by an error";
  try {
    report_.write({settings_, summary, metrics_.history(), task_->total_steps(), false});
  } catch (mae::error const&) {
    return;  // the error that ended the training is on its way
  }
}

void session::show_preview() {
  if (!settings_.preview) return;
  progress_.finish();
  auto const rows = reconstruct_rows(*task_, objective_, images_.test, preview_images);
  std::cout << preview(rows, terminal_width(1)) << std::flush;
}

// ---- after the training ------------------------------------------------------------------------

void session::finish(bool done) {
  last_files files;
  files.write([&] { task_->save_training(file(output::training)); });
  files.write([&] { task_->save_model(file(output::model)); });
  files.write([&] { task_->save_encoder(file(output::encoder)); });
  add_heldout();
  add_health();
  add_mask();
  files.write([&] {
    auto const rows = reconstruct_rows(*task_, objective_, images_.test, sheet_images);
    report_.add(task_->step(), epochs_of(task_->step()), rows);
    report_.add_masks(*task_, images_.test, epochs_of(task_->step()));
    save_png(draw_sheet(rows, layout_for(task_->config().image, rows.size())),
             file(output::reconstructions));
  });
  show_preview();
  run_summary summary = describe_run(done);
  if (done && settings_.probe != probe_choice::none) grade(summary);
  files.write([&] { save_text(file(output::chart), render_svg(loss_chart(metrics_.history()))); });
  files.write([&] { metrics_.require_written(); });
  summary.wall_seconds = seconds_so_far();
  files.write([&] {
    report_.write({settings_, summary, metrics_.history(), task_->total_steps(), false});
  });
  files.write([&] { save_text(file(output::summary), to_json(summary)); });
  progress_.finish();
  std::cout << to_text(summary, settings_.out) << std::flush;
  files.require_all([this](std::string const& line) { warn(line); });
}

void session::grade(run_summary& summary) {
  say("grading the encoder on " + std::to_string(grading_.train) + " training and " +
      std::to_string(grading_.test) + " test images");
  if (!add_probe()) {
    say(std::string("interrupted; the same flags with --resume") +
        (settings_.init.empty() ? "" : " instead of --init") + " grade it");
    return;
  }
  auto const& probes = metrics_.history().probes;
  summary.trained = scores_of(probes.back());
  if (probes.front().step == 0) summary.untrained = scores_of(probes.front());
  if (summary.trained.linear && can_grade_pixels(images_) && !interrupted())
    summary.pixels = grade_pixels(images_, grading_, threads_);
}

run_summary session::describe_run(bool done) const {
  auto const& last = metrics_.history().heldout.back();
  auto const compute = task_->compute();
  return {.status = done ? "done" : "interrupted",
          .data = images_.name,
          .config = model_name(settings_),
          .mask = std::string(name(settings_.mask)),
          .objective = std::string(name(settings_.objective)),
          .targets = objective_.settings(),
          .precision = compute.precision,
          .backend = compute.backend,
          .device = compute.device,
          .build = mae::build_info(),
          .threads = threads_->size(),
          .seed = settings_.seed,
          .steps = task_->step(),
          .epochs = epochs_of(task_->step()),
          .batch_size = step_images(),
          .parameters = num_parameters(),
          .images_per_second = speed_.overall(),
          .final_loss = last_epoch_loss_ ? last_epoch_loss_ : shown_loss_,
          .heldout_loss = last.loss,
          .baseline_loss = last.baseline,
          .wall_seconds = seconds_so_far(),
          .flags = flags_to_repeat()};
}

/// Where the clock fixed the steps, a repeated run has as many; where the training was resumed, it
/// begins with what that one began with.
mae::settings_list session::flags_to_repeat() const {
  auto flags = settings_.flags;
  if (settings_.resume && !start_with_.begun_with.empty())
    flags.push_back({"init", start_with_.begun_with});
  if (!limited_by_time_alone(settings_)) return flags;
  std::erase_if(flags, [](mae::setting const& flag) { return flag.name == "minutes"; });
  flags.push_back({"steps", std::to_string(task_->total_steps())});
  return flags;
}

mae::index_t session::num_parameters() const {
  return parameters_of(settings_, task_->config(), objective_.target_width(task_->config()));
}

double session::epochs_of(std::int64_t steps) const {
  return static_cast<double>(steps) / static_cast<double>(task_->steps_per_epoch());
}

}  // namespace

void run_session(options const& settings, image_sets const& images, beginning start) {
  session(settings, images, std::move(start)).run();
}

}  // namespace pretrain
