// Trains a checkpoint's encoder further, with labels: the official recipe's layer decay, a linear
// head on the mean of the patch tokens, cross entropy with label smoothing.

#include "assumed.hpp"
#include "chosen_images.hpp"
#include "class_metrics.hpp"
#include "feature_flags.hpp"
#include "finetune_flags.hpp"
#include "images.hpp"
#include "interrupt.hpp"
#include "output_folder.hpp"
#include "program.hpp"
#include "save_file.hpp"
#include "terminal.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/clock.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/eval/class_scores.hpp>
#include <mae/head/classifier.hpp>
#include <mae/interop/open_pretrained.hpp>
#include <mae/interop/preprocessing.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/io/json_writer.hpp>
#include <mae/io/model_file.hpp>
#include <mae/mask/none.hpp>
#include <mae/model/headed_encoder.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/train/trainer.hpp>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using mae::index_t;
using backend = mae::eigen_backend<float>;
using model_type = mae::sized_headed_encoder<mae::no_mask, backend, mae::classifier>;
using model_parts = model_type::parts;
using trainer_type = mae::trainer<model_type, tools::chosen_images>;

constexpr double percent = 100.0;

/// An encoder that has learned nothing.
struct new_model : model_type {
  new_model(mae::model_config const& sizes, model_parts made_of)
      : model_type(sizes, std::move(made_of)) {}
};

/// A checkpoint, or what stands for one where there is none.
mae::pretrained_model find_model(tools::finetune_options const& o) {
  if (!o.from_scratch) return tools::read_model(o, std::cerr);
  mae::pretrained_model none;
  none.path = "--config " + o.config;
  none.sizes = tools::sizes_by_name(o.config);
  tools::say_pictures(o.known, none);
  return none;
}

model_type make_model(tools::finetune_options const& o,
                      mae::pretrained_model const& found,
                      index_t classes,
                      std::shared_ptr<mae::thread_pool> threads) {
  model_parts parts{
      .heads = {mae::classifier{.classes = classes, .pool = o.pool, .smoothing = o.smoothing}},
      .seed = o.settings.seed,
      .backend = backend(std::move(threads))};
  if (!o.from_scratch) return mae::open_pretrained_encoder(found, std::move(parts));
  new_model model(found.sizes, std::move(parts));
  if (auto statistics = found.statistics(); !statistics.mean.empty())
    model.set_statistics(std::move(statistics));
  return model;
}

/// The classes that the test images tell, and what the model makes of them.
struct evaluation {
  std::vector<float> scores;
  std::vector<index_t> labels;
  tools::class_metrics metrics;

  mae::matrix_view<float const> view() const {
    auto const images = std::ssize(labels);
    return {scores.data(), images, std::ssize(scores) / images};
  }
};

evaluation evaluate(model_type const& model, pretrain::image_set const& images) {
  evaluation found;
  found.scores = mae::class_scores(model, images);
  for (index_t i = 0; i < images.size(); ++i) found.labels.push_back(images.label(i));
  found.metrics = tools::measure_classes(found.view(), found.labels);
  return found;
}

/// metrics.jsonl: a line an epoch.
class epoch_log {
 public:
  /// Keeps the lines of the first `epochs` epochs that the file has.
  epoch_log(std::filesystem::path path, index_t epochs) : path_(std::move(path)) {
    std::ifstream file(path_);
    std::string line;
    for (index_t i = 0; i < epochs && std::getline(file, line); ++i) text_ += line + '\n';
  }
  void add(mae::json_object const& record) {
    text_ += record.line() + '\n';
    pretrain::save_text(path_, text_);
  }

 private:
  std::filesystem::path path_;
  std::string text_;
};

class finetuning {
 public:
  finetuning(tools::finetune_options const& o,
             model_type& model,
             tools::chosen_images const& train,
             pretrain::image_sets const& sets,
             mae::settings_list pictures)
      : o_(o),
        out_(o.out),
        model_(model),
        sets_(sets),
        pictures_(std::move(pictures)),
        train_(train),
        trainer_(model, train, o.training(train.size()), o.rule()) {}

  /// Trains, evaluates after every epoch, and leaves a file to resume with. False where the user
  /// stopped it.
  bool run() {
    auto const saved = (out_ / pretrain::output::training).string();
    if (o_.resume) say_resumed(mae::load_training(saved, trainer_));
    save_choice();  // not before other images than a resumed training's were refused
    index_t const epochs_done = trainer_.progress().step / trainer_.steps_per_epoch();
    epoch_log log(out_ / pretrain::output::metrics, epochs_done);
    pretrain::progress_line line(
        std::cout, pretrain::style_for(1, false), pretrain::terminal_width(1));
    double const start = mae::monotonic_seconds();
    auto const first = trainer_.progress().step;
    bool const done = trainer_.run(
        {.on_step = [&](mae::step_report const& report) { show(line, report, first, start); },
         .on_epoch =
             [&](mae::epoch_report const& report) {
               line.finish();
               log.add(describe(report, start));
               mae::save_training(saved, trainer_, pictures_);
             },
         .should_stop = [] { return pretrain::interrupted(); }});
    line.finish();
    seconds_ = mae::monotonic_seconds() - start;
    if (!done) mae::save_training(saved, trainer_, pictures_);
    return done;
  }

  void save_results() {
    if (!last_) last_ = evaluate(model_, sets_.test);  // of a training that was done already
    auto const& found = *last_;
    auto const& metrics = found.metrics;
    mae::save_model((out_ / pretrain::output::model).string(), model_, pictures_);
    mae::save_encoder((out_ / pretrain::output::encoder).string(), model_, pictures_);
    pretrain::save_text(out_ / "predictions.csv",
                        tools::predictions_csv(found.view(), found.labels));
    mae::json_object summary;
    summary.add("head", "classes")
        .add("top1", metrics.top1)
        .add("top5", metrics.top5)
        .add("balanced_accuracy", metrics.balanced_accuracy)
        .add("macro_f1", metrics.macro_f1)
        .add("train_images", train_.size())
        .add("test_images", metrics.images)
        .add("classes", train_.num_classes())
        .add("confusion", metrics.confusion)
        .add("epochs", o_.epochs)
        .add("seconds", seconds_)
        .add("seed", o_.settings.seed)
        .add("model", o_.from_scratch ? o_.config + " from scratch" : o_.model)
        .add("layer_decay", trainer_.options().groups.layer_decay)
        .add("lr", trainer_.options().lr)
        .add("batch", trainer_.options().batch_size);
    pretrain::save_text(out_ / pretrain::output::summary, summary.lines());
    std::cout << "top-1 " << percent * metrics.top1 << " %, top-5 " << percent * metrics.top5
              << " %, balanced accuracy " << percent * metrics.balanced_accuracy << " % of "
              << metrics.images << " test images\nwrote model.safetensors, encoder.safetensors, "
              << "predictions.csv, metrics.jsonl and summary.json to "
              << mae::printable(out_.string()) << '\n';
  }

 private:
  void save_choice() const {
    std::string text = "image,class\r\n";
    for (index_t i = 0; i < train_.size(); ++i)
      text += std::to_string(train_.numbers()[static_cast<std::size_t>(i)]) + ',' +
              std::to_string(train_.label(i)) + "\r\n";
    pretrain::save_text(out_ / "images.csv", text);
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

  mae::json_object describe(mae::epoch_report const& report, double start) {
    last_ = evaluate(model_, sets_.test);
    auto const& metrics = last_->metrics;
    std::cout << "epoch " << report.epoch + 1 << ": loss " << report.loss << ", top-1 "
              << percent * metrics.top1 << " % of " << metrics.images << " test images"
              << std::endl;
    mae::json_object record;
    record.add("epoch", report.epoch + 1)
        .add("loss", report.loss)
        .add("top1", metrics.top1)
        .add("top5", metrics.top5)
        .add("balanced_accuracy", metrics.balanced_accuracy)
        .add("macro_f1", metrics.macro_f1)
        .add("seconds", mae::monotonic_seconds() - start);
    return record;
  }

  tools::finetune_options const& o_;
  std::filesystem::path out_;
  model_type& model_;
  pretrain::image_sets const& sets_;
  mae::settings_list pictures_;
  tools::chosen_images const& train_;
  trainer_type trainer_;
  std::optional<evaluation> last_;  // after the last epoch
  double seconds_ = 0;
};

tools::chosen_images choose(tools::finetune_options const& o, pretrain::image_set const& images) {
  auto numbers = tools::choose_stratified(images, o.label_fraction, o.settings.seed);
  if (numbers.size() < 2)
    throw mae::config_error("there are fewer than two training images with classes");
  index_t const left = images.size() - std::ssize(numbers);
  if (left > 0 && o.label_fraction == 1)
    pretrain::say_assumed(std::cerr, std::to_string(left) + " images without a class are left out");
  return {images, std::move(numbers)};
}

/// How pictures became images, in the words of files.
mae::settings_list picture_entries(tools::finetune_options const& o,
                                   mae::pretrained_model const& model,
                                   pretrain::data_source const& source) {
  auto how = model.pictures();
  how.keeps_exact = how.keeps_exact && o.known.fit.empty();
  if (source.kind == pretrain::data_kind::pictures) {
    if (how.fit.empty() || how.fit == "none") how.fit = "crop";
    if (how.resample.empty()) how.resample = "bicubic";
  }
  how.statistics = {};  // the model's say more
  return mae::describe(how);
}

void run(tools::finetune_options const& o) {
  std::filesystem::create_directories(o.out);
  pretrain::output_lock const lock(o.out, std::cerr);
  if (!o.resume &&
      std::filesystem::exists(std::filesystem::path(o.out) / pretrain::output::training))
    throw mae::config_error(o.out +
                            ": holds a training already: --resume goes on with it, another --out "
                            "begins a new one");
  auto const found = find_model(o);
  auto const threads = std::make_shared<mae::thread_pool>(o.settings.threads);
  auto const source = tools::find_source(o);
  auto const sets = pretrain::load_images(
      source, tools::request_for(o, found, source, true), *threads, std::cerr);
  pretrain::require_classes(sets);
  auto const train = choose(o, sets.train);
  if (train.size() < o.batch)
    pretrain::say_assumed(std::cerr,
                          "batch " + std::to_string(train.size()) +
                              ", as there are no more training images; --batch says less");
  auto model = make_model(o, found, train.num_classes(), threads);
  std::cout << "training on " << train.size() << " images of " << mae::printable(sets.name) << ", "
            << train.num_classes() << " classes" << std::endl;
  finetuning training(o, model, train, sets, picture_entries(o, found, source));
  pretrain::catch_interrupts();
  if (training.run())
    training.save_results();
  else
    std::cout << "stopped; --resume goes on\n";
}

constexpr char const* introduction =
    "Trains a masked autoencoder's encoder further, with labels (fine-tuning).\n"
    "Usage: mae_finetune --model FILE|DIR --data DIR|synthetic --out DIR [--epochs 20]\n"
    "       mae_finetune --from-scratch [--config tiny4] ...\n";

}  // namespace

int main(int argc, char** argv) {
  return pretrain::run_program(
      "mae_finetune", "a smaller --batch needs less", [&](char const* name) {
        tools::finetune_options options;
        pretrain::run_or_explain(
            name, argc, argv, introduction, tools::flags_for(options), [&](auto const& given) {
              tools::check_combinations(given, options);
              run(options);
            });
      });
}
