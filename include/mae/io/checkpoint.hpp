#pragma once

#include <mae/core/buffer.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/io/description.hpp>
#include <mae/io/model_file.hpp>
#include <mae/io/parameter_file.hpp>
#include <mae/io/progress_reader.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/io/safetensors_writer.hpp>
#include <mae/model/layout.hpp>
#include <mae/model/staging.hpp>
#include <mae/train/options.hpp>
#include <mae/train/report.hpp>
#include <mae/train/trainer.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

namespace mae {

/// The settings of a training that decide its result, but for its length: a resume refuses any
/// other value, by name.
inline settings_list describe(training_options const& options) {
  return {
      {"seed", std::to_string(options.seed)},
      {"batch_size", std::to_string(options.batch_size)},
      {"accumulate", std::to_string(options.accumulate)},
      {"lr", decimal_text(options.lr)},
      {"warmup_epochs", decimal_text(options.warmup_epochs)},
      {"weight_decay", decimal_text(options.weight_decay)},
      {"beta1", decimal_text(options.beta1)},
      {"beta2", decimal_text(options.beta2)},
      {"adam_epsilon", decimal_text(options.epsilon)},
      {"clip", decimal_text(options.clip)},
      {"crop_min", decimal_text(options.augment.crop_min)},
      {"flip", options.augment.flip ? "yes" : "no"},
      {"interpolation", options.augment.kind == interpolation::bicubic ? "bicubic" : "bilinear"},
      {"non_finite", options.non_finite == non_finite_policy::stop ? "stop" : "skip"}};
}

namespace detail {

/// A training's file tells which images it has seen; those before did not.
inline constexpr char const* data_fingerprint = "mae.data_fingerprint";
inline constexpr char const* first_moment_prefix = "optimizer.first_moment.";
inline constexpr char const* second_moment_prefix = "optimizer.second_moment.";

/// All that a resume compares: the whole description of model and training, but for lengths.
template <class Trainer>
settings_list resume_settings(Trainer const& training) {
  settings_list all = describe(training.options());
  auto const& shards = training.shards();
  all.push_back({"precision", training.model().backend().precision()});
  all.push_back({"shards", std::to_string(shards.shards)});
  all.push_back({"lanes", std::to_string(shards.lanes)});
  all.push_back({"steps_per_epoch", std::to_string(training.steps_per_epoch())});
  for (auto const& [name, value] : describe_model(training.model(), contents::training))
    all.push_back({name, value});
  return all;
}

/// The table of all tensors in a training's file: the model's, and the moments of its parameters.
inline parameter_layout layout_with_moments(parameter_layout const& model) {
  parameter_layout all = model;
  for (auto const* prefix : {first_moment_prefix, second_moment_prefix})
    for (auto moment : model.tensors()) {
      if (moment.kind != tensor_kind::parameter) continue;
      moment.name.insert(0, prefix);
      all.add(std::move(moment));
    }
  return all;
}

}  // namespace detail

/// Writes all that an exact resume needs: parameters, moments, where the training stands, and the
/// settings that it must be resumed with. As a whole or not at all; throws io_error; numeric_error,
/// and leaves a file that is there, for a parameter or a moment that is not finite.
template <class Trainer>
void save_training(std::string const& path, Trainer const& training) {
  auto const& model = training.model();
  tensor_collector<typename std::remove_cvref_t<decltype(model)>::scalar> tensors;
  using backend_type = typename std::remove_cvref_t<decltype(model)>::backend_type;
  host_values<backend_type> const values(model.backend(), model.parameters().values());
  host_values<backend_type> const first(model.backend(), training.optimizer().first_moments());
  host_values<backend_type> const second(model.backend(), training.optimizer().second_moments());
  tensors.add(model.layout(), values.span());
  for (auto const& tensor : model.layout().tensors()) {
    if (tensor.kind != tensor_kind::parameter) continue;
    tensors.add(tensor, first.span(), detail::first_moment_prefix);
    tensors.add(tensor, second.span(), detail::second_moment_prefix);
  }
  safetensors_metadata description;
  for (auto const& [name, value] : detail::resume_settings(training)) description[name] = value;
  auto const& progress = training.progress();
  description["total_steps"] = std::to_string(training.total_steps());
  description["step"] = std::to_string(progress.step);
  description["optimizer_steps"] = std::to_string(progress.optimizer_steps);
  description["epoch_steps"] = std::to_string(progress.epoch_steps);
  description["epoch_loss"] = decimal_text(progress.epoch_loss);
  description["epoch_baseline"] = decimal_text(progress.epoch_baseline);
  description[detail::data_fingerprint] =
      detail::safetensors::hash_digits(training.data_fingerprint());
  save_safetensors(path, tensors.entries(), description, non_finite_values::refused);
}

namespace detail {

/// Throws config_error for a training that has seen other images; false where the file does not
/// say.
template <class Trainer>
bool check_images(std::string const& path,
                  safetensors_metadata const& description,
                  Trainer const& training) {
  auto const found = description.find(data_fingerprint);
  if (found == description.end()) return false;
  if (found->second != safetensors::hash_digits(training.data_fingerprint()))
    throw config_error(path +
                       ": the training has seen other images than these: resume it with those, "
                       "or begin another with its values and these images");
  return true;
}

}  // namespace detail

/// Continues a saved training, bit for bit as if it had not been interrupted. The length may be
/// raised; any other difference is a config_error that names it. Model and trainer are as they were
/// when anything is wrong; throws as load_model.
template <class Trainer>
resume_report load_training(std::string const& path, Trainer& training) {
  using scalar = typename std::remove_cvref_t<decltype(training.model())>::scalar;
  auto const& layout = training.model().layout();
  auto const file = safetensors_file::load(path);
  progress_reader const read(path, file.metadata());
  auto const progress = read_progress(read);
  // In this order: other options or sizes make other images of the same.
  require_equal(path, file.metadata(), describe(training.options()));
  require_equal(path, file.metadata(), describe(training.model().sizes().config));
  resume_report const report{.step = progress.step,
                             .total_steps = training.total_steps(),
                             .previous_total_steps = read.count("total_steps"),
                             .knows_images = detail::check_images(path, file.metadata(), training)};
  require_equal(path, file.metadata(), detail::resume_settings(training));
  require_consistent(path, progress, report.previous_total_steps, training.steps_per_epoch());
  if (report.total_steps < report.previous_total_steps)
    throw config_error(
        path + ": the training was to take " + std::to_string(report.previous_total_steps) +
        " steps; it can be resumed for more, but not for " + std::to_string(report.total_steps));
  reject_unknown_tensors(file, path, detail::layout_with_moments(layout));
  auto const values = read_tensors<scalar>(file, path, layout);
  host_buffer<scalar> first(layout.size());
  host_buffer<scalar> second(layout.size());
  for (auto const& tensor : layout.tensors()) {
    if (tensor.kind != tensor_kind::parameter) continue;
    read_tensor(file, path, tensor, first.span(), detail::first_moment_prefix);
    read_tensor(file, path, tensor, second.span(), detail::second_moment_prefix);
  }
  training.model().backend().make_lane().upload(values.span(),
                                                training.model().parameters().values());
  training.resume(progress, first.span(), second.span());
  return report;
}

}  // namespace mae
