// Trains a checkpoint's encoder further, with labels: the official recipe's layer decay, a linear
// head on the mean of the patch tokens, cross entropy with label smoothing.

#include "assumed.hpp"
#include "feature_flags.hpp"
#include "finetune_flags.hpp"
#include "finetuning.hpp"
#include "head_task.hpp"
#include "images.hpp"
#include "interrupt.hpp"
#include "labelled_images.hpp"
#include "output_folder.hpp"
#include "program.hpp"
#include "stratified.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/head/classifier.hpp>
#include <mae/interop/open_pretrained.hpp>
#include <mae/interop/preprocessing.hpp>

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

namespace {

using mae::index_t;
using backend = mae::eigen_backend<float>;
using model_type = tools::finetuned_model<backend>;
using model_parts = model_type::parts;
using training_type = tools::finetuning<model_type>;

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

/// The training images that are taken: those with classes, or a share of each class.
tools::chosen_images choose(tools::finetune_options const& o, tools::labelled_images const& all) {
  auto numbers = tools::choose_stratified(all.images, o.label_fraction, o.settings.seed);
  if (numbers.size() < 2)
    throw mae::config_error("there are fewer than two training images with classes");
  index_t const left = all.images.size() - std::ssize(numbers);
  if (left > 0 && o.label_fraction == 1)
    pretrain::say_assumed(std::cerr, std::to_string(left) + " images without a class are left out");
  return {all, std::move(numbers)};
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
  tools::labelled_images const all{sets.train};
  tools::labelled_images const tests{sets.test};
  auto const train = choose(o, all);
  if (train.size() < o.batch)
    pretrain::say_assumed(std::cerr,
                          "batch " + std::to_string(train.size()) +
                              ", as there are no more training images; --batch says less");
  auto model = make_model(o, found, train.num_classes(), threads);
  std::cout << "training on " << train.size() << " images of " << mae::printable(sets.name) << ", "
            << train.num_classes() << " classes" << std::endl;
  training_type::tasks tasks;
  tasks.push_back(std::make_unique<tools::class_task<model_type>>());
  tools::chosen_images const test(tests);
  training_type training(
      o, model, train, test, std::move(tasks), picture_entries(o, found, source));
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
