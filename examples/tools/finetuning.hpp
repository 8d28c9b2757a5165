#pragma once

#include "best_epoch.hpp"
#include "epoch_log.hpp"
#include "finetune_flags.hpp"
#include "finetune_report.hpp"
#include "head_task.hpp"
#include "health_watch.hpp"
#include "interrupt.hpp"
#include "labelled_images.hpp"
#include "left_weights.hpp"
#include "output_folder.hpp"
#include "save_file.hpp"
#include "saved_settings.hpp"
#include "terminal.hpp"
#include "training_plan.hpp"

#include <mae/core/clock.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/io/json_writer.hpp>
#include <mae/io/model_file.hpp>
#include <mae/train/trainer.hpp>

#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace tools {

/// A training of heads, and of the encoder beneath them, with its files.
template <class Model>
class finetuning {
 public:
  static constexpr char const* best_file = "best.safetensors";
  static constexpr char const* raw_prefix = "raw_";
  using tasks = std::vector<std::unique_ptr<head_task<Model>>>;

  /// `data` names the images, for the report. Options, model and images must outlive this object.
  finetuning(finetune_options const& o,
             Model& model,
             chosen_images const& train,
             chosen_images const& test,
             tasks graded,
             mae::settings_list pictures,
             std::string data)
      : o_(o),
        out_(o.out),
        model_(model),
        train_(train),
        test_(test),
        tasks_(std::move(graded)),
        pictures_(std::move(pictures)),
        data_(std::move(data)),
        health_(test.whole_set()),
        trainer_(model, train, o.recipe.applied(o.training(train.size())), o.rule()) {}

  /// Trains, grades epochs, and leaves a file to resume with. False where the user stopped it.
  bool run() {
    auto const saved = (out_ / pretrain::output::training).string();
    if (o_.resume) {
      say_resumed(mae::load_training(saved, trainer_));
      best_ = best_epoch::of(saved);
      if (keeps_best() && best_.epoch > 0 && !std::filesystem::exists(out_ / best_file))
        throw mae::config_error((out_ / best_file).string() +
                                ": is not there: give --keep best from the beginning of a training "
                                "on");
    }
    pretrain::save_text(
        out_ / "images.csv",
        choice_csv(train_));  // not before other images than a resumed training's were refused
    mae::index_t const epochs_done = trainer_.progress().step / trainer_.steps_per_epoch();
    epoch_log log(out_ / pretrain::output::metrics, epochs_done);
    if (o_.tensorboard) log.write_events(out_ / "tensorboard");
    pretrain::progress_line line(
        std::cout, pretrain::style_for(1, false), pretrain::terminal_width(1));
    double const start = mae::monotonic_seconds();
    auto const first = trainer_.progress().step;
    bool const done =
        is_patience_over(epochs_done) ||
        trainer_.run(
            {.on_step = [&](mae::step_report const& report) { show(line, report, first, start); },
             .on_epoch =
                 [&](mae::epoch_report const& report) {
                   line.finish();
                   log.add(describe(report, start));
                   show_report(true);
                   mae::save_training(saved, trainer_, entries());
                 },
             .should_stop = [this] { return ends_ || pretrain::interrupted(); }});
    line.finish();
    seconds_ = mae::monotonic_seconds() - start;
    if (!done && !ends_) mae::save_training(saved, trainer_, entries());
    show_report(false);
    return done || ends_;
  }

  /// What run() would do, from four steps that are then forgotten.
  std::string plan() {
    auto const saved = (out_ / pretrain::output::training).string();
    double const seconds = pretrain::time_of_step([&] { return trainer_.step().seconds; });
    std::int64_t const done = o_.resume ? mae::load_training(saved, trainer_).step : 0;
    mae::model_config const& sizes = model_.sizes().config;
    mae::index_t parameters = 0;
    for (auto const& tensor : model_.layout().tensors()) parameters += tensor.size();
    mae::index_t const batch = trainer_.options().batch_size;
    auto const steps = trainer_.total_steps();
    return pretrain::to_text({.title = o_.heads_text() + " on " + data_,
                              .parameters = parameters,
                              .step_images = batch,
                              .step_flops = 3 * static_cast<double>(batch) * o_.image_flops(sizes),
                              .counted = "the encoder's products alone, backward as twice forward",
                              .step_seconds = seconds,
                              .steps = steps,
                              .steps_done = done,
                              .epochs = static_cast<double>(o_.epochs),
                              .images = train_.size(),
                              .seconds_left = seconds * static_cast<double>(steps - done)});
  }

  void save_results() {
    mae::index_t const kept = choose_left();
    mae::save_model((out_ / pretrain::output::model).string(), model_, pictures_);
    mae::save_encoder((out_ / pretrain::output::encoder).string(), model_, pictures_);
    mae::json_object summary;
    summary.add("head", o_.heads_text());
    std::vector<std::string> files{"model.safetensors", "encoder.safetensors"};
    for (auto const& task : tasks_) {
      for (auto& name : task->save(out_)) files.push_back(std::move(name));
      task->describe(summary);
      task->summarise(summary);
    }
    summary.add_all(raw_prefix, raw_);
    summary.add("train_images", train_.size())
        .add("test_images", test_.size())
        .add("epochs", o_.epochs)
        .add("kept_epoch", kept)
        .add("seconds", seconds_)
        .add("seed", o_.settings.seed)
        .add("model", o_.from_scratch ? o_.config + " from scratch" : o_.model)
        .add("layer_decay", trainer_.options().groups.layer_decay)
        .add("lr", trainer_.options().lr)
        .add("batch", trainer_.options().batch_size)
        .add("run", pretrain::settings_json("mae_finetune", o_.flags));
    pretrain::save_text(out_ / pretrain::output::summary, summary.lines());
    show_report(false);  // now with the pictures
    for (auto const& task : tasks_) std::cout << task->sentence() << '\n';
    std::cout << "wrote ";
    for (auto const& name : files) std::cout << name << ", ";
    std::cout << "metrics.jsonl, report.html and summary.json to " << mae::printable(out_.string())
              << '\n';
  }

 private:
  /// What fails is a warning: a training does not end for its report.
  void show_report(bool is_running) const {
    try {
      std::vector<pretrain::page_section> predictions;
      if (!is_running && is_graded_)
        for (auto const& task : tasks_)
          for (auto& section : task->sections()) predictions.push_back(std::move(section));
      save_report(o_, data_, std::move(predictions), is_running);
    } catch (mae::io_error const& refused) {
      std::cerr << "warning: " << refused.what() << std::endl;
    }
  }

  static void say_resumed(mae::resume_report const& report) {
    std::cout << "going on after step " << report.step << " of " << report.total_steps << '\n';
  }

  void show(pretrain::progress_line& line,
            mae::step_report const& report,
            std::int64_t first,
            double start) const {
    double const rate =
        static_cast<double>(report.step - first) / (mae::monotonic_seconds() - start);
    line.show({.epoch = report.epoch + 1,
               .epochs = o_.epochs,
               .step = report.step,
               .steps = report.total_steps,
               .done = static_cast<double>(report.step) / static_cast<double>(report.total_steps),
               .loss = report.loss,
               .baseline = report.baseline,
               .lr = report.lr,
               .images_per_second = rate * static_cast<double>(report.images),
               .seconds_left = static_cast<double>(report.total_steps - report.step) / rate});
  }

  /// The weights that are left, where they are not those that are trained.
  std::span<typename Model::scalar const> average() const {
    if (!trainer_.optimizer().rule().averages()) return {};
    return trainer_.optimizer().state("average");
  }
  void grade() {
    for (auto const& task : tasks_) task->grade(model_, test_);
    is_graded_ = true;
  }
  /// Likewise the weights that are trained, where others are left.
  void grade_raw() {
    raw_ = {};
    if (average().empty()) return;
    grade();
    for (auto const& task : tasks_) task->describe(raw_);
  }
  /// Puts the weights that are left into the model, grades them, and says of which epoch they are.
  mae::index_t choose_left() {
    mae::index_t const last = trainer_.progress().step / trainer_.steps_per_epoch();
    bool const is_earlier = keeps_best() && best_.epoch > 0 && best_.epoch != last;
    bool const is_known = is_graded_ && !is_earlier;
    if (is_earlier) {
      mae::load_model((out_ / best_file).string(), model_);
      raw_ = {};  // metrics.jsonl has them
    } else {
      if (!is_known) grade_raw();  // a training that was done already
      left_weights(model_, average()).keep();
    }
    if (!is_known) grade();
    return is_earlier ? best_.epoch : last;
  }
  /// Of all heads that were graded.
  double score() const {
    double sum = 0;
    for (auto const& task : tasks_) sum += task->score();
    return sum / static_cast<double>(tasks_.size());
  }
  bool keeps_best() const { return o_.recipe.keep == kept_epoch::best; }
  bool is_patience_over(mae::index_t epochs) const {
    return o_.recipe.patience && best_.epoch > 0 && epochs - best_.epoch >= *o_.recipe.patience;
  }
  /// Takes note of what was graded after so many epochs.
  void judge(mae::index_t epochs) {
    if (best_.epoch == 0 || score() > best_.score) {
      best_ = {epochs, score()};
      if (keeps_best()) mae::save_model((out_ / best_file).string(), model_, entries());
    }
    ends_ = is_patience_over(epochs);
  }
  /// What files say beside the model and its training.
  mae::settings_list entries() const {
    auto all = pictures_;
    if (best_.epoch > 0)
      for (auto& entry : best_.entries()) all.push_back(std::move(entry));
    return all;
  }

  mae::json_object describe(mae::epoch_report const& report, double start) {
    mae::index_t const epochs = report.epoch + 1;
    std::cout << "epoch " << epochs << ": loss " << report.loss;
    mae::json_object record;
    record.add("epoch", epochs).add("loss", report.loss);
    is_graded_ = false;
    if (epochs % o_.recipe.evaluate_every == 0 || trainer_.is_done()) {
      grade_raw();
      record.add_all(raw_prefix, raw_);
      left_weights const left(model_, average());
      grade();
      judge(epochs);
      for (auto const& task : tasks_) {
        std::cout << ", " << task->sentence();
        task->describe(record);
      }
      health_.describe(model_, record);
    }
    std::cout << std::endl;
    record.add("seconds", mae::monotonic_seconds() - start);
    return record;
  }

  finetune_options const& o_;
  std::filesystem::path out_;
  Model& model_;
  chosen_images const& train_;
  chosen_images const& test_;
  tasks tasks_;
  mae::settings_list pictures_;
  std::string data_;
  health_watch health_;
  mae::trainer<Model, chosen_images, averaged_adamw> trainer_;
  best_epoch best_;
  bool ends_ = false;       // for nothing gets better
  bool is_graded_ = false;  // the model as it is
  mae::json_object raw_;    // how good the weights are whose average is left
  double seconds_ = 0;
};

}  // namespace tools
