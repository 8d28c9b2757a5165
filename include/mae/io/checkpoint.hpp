#pragma once

#include <mae/core/buffer.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/io/description.hpp>
#include <mae/io/head_list.hpp>
#include <mae/io/level_entries.hpp>
#include <mae/io/mask_file.hpp>
#include <mae/io/model_file.hpp>
#include <mae/io/objective_file.hpp>
#include <mae/io/options_file.hpp>
#include <mae/io/parameter_file.hpp>
#include <mae/io/progress_reader.hpp>
#include <mae/io/queue_file.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/io/safetensors_writer.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/staging.hpp>
#include <mae/optimizer/rule.hpp>
#include <mae/train/report.hpp>
#include <mae/train/trainer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace mae {

namespace detail {

/// A training's file tells which images it has seen; those before did not.
inline constexpr char const* data_fingerprint = "mae.data_fingerprint";
/// The entry that names the update rule, and the rule of files without it.
inline constexpr char const* rule_entry = "optimizer";
inline constexpr char const* unnamed_rule = "adamw";

/// What the tensors of an update rule's state are called before the parameters' names.
inline std::string state_prefix(char const* state) {
  return std::string("optimizer.") + state + ".";
}

/// All that a resume compares: the whole description of model and training, but for lengths.
template <class Trainer>
settings_list resume_settings(Trainer const& training) {
  settings_list all = describe(training.options());
  for (auto& constant : training.optimizer().rule().settings()) all.push_back(std::move(constant));
  auto const& shards = training.shards();
  bool const learns = training.model().sizes().positions == position_table::learned;
  all.push_back({"positions", learns ? "learned" : "sincos"});
  bool const pools_first = training.model().sizes().final_norm == norm_place::pooled;
  all.push_back({"final_norm", pools_first ? "pooled" : "tokens"});
  all.push_back({"precision", training.model().backend().precision()});
  all.push_back({"steps_per_epoch", std::to_string(training.steps_per_epoch())});
  for (auto const& [name, value] : describe_model(training.model(), contents::training))
    all.push_back({name, value});
  for (auto& of_head : describe_training_of(training.model().sizes()))
    all.push_back(std::move(of_head));
  all.push_back({"shards", std::to_string(shards.shards)});
  all.push_back({"lanes", std::to_string(shards.sums)});
  return all;
}

/// The table of all tensors that a training's file may hold: the model's, the rule's states of its
/// parameters, what a mask has learned, what the targets depend on, and the keys of earlier steps.
template <UpdateRule Rule, class Mask, class Tensors>
parameter_layout layout_with_states(parameter_layout const& model,
                                    Rule const& rule,
                                    Mask const& mask,
                                    Tensors const& targets,
                                    parameter_layout const& queue) {
  parameter_layout all = model;
  for (char const* const state : rule.state_names)
    for (auto tensor : model.tensors()) {
      if (tensor.kind != tensor_kind::parameter) continue;
      tensor.name.insert(0, state_prefix(state));
      all.add(std::move(tensor));
    }
  auto const of_mask = layout_of_mask(mask);
  for (auto const& tensor : of_mask.tensors()) all.add(tensor);
  auto const of_targets = layout_of_tensors(targets);
  for (auto const& tensor : of_targets.tensors()) all.add(tensor);
  for (auto const& tensor : queue.tensors()) all.add(tensor);
  if constexpr (LearningMask<Mask>)
    if (learns(mask)) all.add({.name = pending_sums, .shape = {mask.num_sums()}});
  return all;
}

}  // namespace detail

/// Writes all that an exact resume needs: parameters, the update rule's states, where the training
/// stands, and the settings that it must be resumed with; `more` as describe_model, which a resume
/// does not compare. As a whole or not at all; throws io_error; numeric_error, and leaves a file
/// that is there, for a value that is not finite.
template <class Trainer>
void save_training(std::string const& path,
                   Trainer const& training,
                   settings_list const& more = {}) {
  auto const& model = training.model();
  auto const& rule = training.optimizer().rule();
  tensor_collector<typename std::remove_cvref_t<decltype(model)>::scalar> tensors;
  using backend_type = typename std::remove_cvref_t<decltype(model)>::backend_type;
  host_values<backend_type> const values(model.backend(), model.parameters().values());
  std::vector<host_values<backend_type>> states;
  for (char const* const state : rule.state_names)
    states.emplace_back(model.backend(), training.optimizer().state(state));
  tensors.add(model.layout(), values.span());
  for (auto const& tensor : model.layout().tensors()) {
    if (tensor.kind != tensor_kind::parameter) continue;
    for (std::size_t k = 0; k < states.size(); ++k)
      tensors.add(tensor, states[k].span(), detail::state_prefix(rule.state_names[k]));
  }
  detail::add_mask(tensors, model.mask());
  detail::add_pending(tensors, training.progress().mask);
  detail::add_objective(tensors, detail::objective_tensors(model));
  auto const& queue = training.progress().keys;
  std::vector<double> const queued(queue.images.begin(), queue.images.end());
  detail::add_queue(tensors, queue, queued);
  safetensors_metadata description;
  for (auto const& [name, value] : detail::resume_settings(training)) description[name] = value;
  if (rule.name() != detail::unnamed_rule) description[detail::rule_entry] = rule.name();
  auto const& progress = training.progress();
  description["total_steps"] = std::to_string(training.total_steps());
  description["step"] = std::to_string(progress.step);
  description["optimizer_steps"] = std::to_string(progress.optimizer_steps);
  description["epoch_steps"] = std::to_string(progress.epoch_steps);
  description["epoch_loss"] = decimal_text(progress.epoch_loss);
  description["epoch_baseline"] = decimal_text(progress.epoch_baseline);
  if (learns(model.mask()))
    description[detail::pending_images] = std::to_string(progress.mask.images);
  if (detail::queue_of(model.sizes()).most > 0)
    description[detail::queue_count] = std::to_string(queue.size());
  for (std::size_t head = 0; head < progress.norms.size(); ++head)
    if (model.sizes().is_on(head))
      description[norm_entry(model.sizes().names()[head])] = decimal_text(progress.norms[head]);
  description[detail::data_fingerprint] =
      detail::safetensors::hash_digits(training.data_fingerprint());
  for (auto const& [name, value] : more) description.emplace(name, value);
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

/// The states of a rule, in its order; what no tensor holds is as it was at first.
template <class T, UpdateRule Rule>
std::vector<std::vector<T>> read_states(safetensors_file const& file,
                                        std::string const& path,
                                        parameter_layout const& layout,
                                        Rule const& rule,
                                        host_buffer<T> const& parameters) {
  std::vector<std::vector<T>> states;
  for (std::size_t k = 0; k < std::size(rule.state_names); ++k) {
    auto& state = states.emplace_back(parameters.span().size());
    if (begins_as_parameters<Rule>(k)) std::ranges::copy(parameters.span(), state.begin());
    for (auto const& tensor : layout.tensors())
      if (tensor.kind == tensor_kind::parameter)
        read_tensor(file, path, tensor, std::span(state), state_prefix(rule.state_names[k]));
  }
  return states;
}

/// Throws config_error for a training of other heads than the model's.
template <class Model>
void require_same_heads(std::string const& path,
                        safetensors_metadata const& description,
                        Model const& model) {
  auto const left = heads_left_out(path, description, model.layout());
  auto const expected = describe_training_of(model.sizes());
  std::string other = left.empty() ? "" : left.front();
  for (auto const& [name, value] : description)
    if (auto const at = name.find(head_weight_suffix); at != std::string::npos)
      if (other.empty() && std::ranges::find(expected, name, &setting::name) == expected.end())
        other = name.substr(0, at);
  for (auto const& [name, value] : expected)
    if (!description.contains(name)) other = name.substr(0, name.find('.'));
  if (!other.empty())
    throw config_error(path + ": the training and the model differ in the head " + other +
                       ": a training goes on with its own heads; load_model takes the values");
}

/// Throws config_error, which names both, for a training whose parameters changed by another rule.
template <UpdateRule Rule>
void require_rule(std::string const& path,
                  safetensors_metadata const& description,
                  Rule const& rule) {
  auto const found = description.find(rule_entry);
  std::string const saved = found == description.end() ? unnamed_rule : found->second;
  if (saved != rule.name())
    throw config_error(path + ": the training's update rule is " + saved + ", but " + rule.name() +
                       " here: resume it with its own, or begin another with its parameters");
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
  auto progress = read_progress(read);
  auto const& mask = std::as_const(training.model()).mask();
  auto const& rule = training.optimizer().rule();
  detail::require_rule(path, file.metadata(), rule);
  auto const metadata = detail::with_older_entries(file.metadata());
  // In this order: other options or sizes make other images of the same, other heads other labels.
  detail::require_same_heads(path, metadata, training.model());
  require_equal(path, metadata, describe(training.options()));
  require_equal(path, file.metadata(), describe(training.model().sizes().config));
  require_same_levels(path, parse_levels(path, file.metadata()), training.model().sizes().levels);
  resume_report const report{.step = progress.step,
                             .total_steps = training.total_steps(),
                             .previous_total_steps = read.count("total_steps"),
                             .knows_images = detail::check_images(path, file.metadata(), training)};
  require_equal(path, metadata, detail::resume_settings(training));
  require_consistent(path, progress, report.previous_total_steps, training.steps_per_epoch());
  if (report.total_steps < report.previous_total_steps)
    throw config_error(
        path + ": the training was to take " + std::to_string(report.previous_total_steps) +
        " steps; it can be resumed for more, but not for " + std::to_string(report.total_steps));
  auto const targets = detail::objective_tensors(training.model());
  auto const& sizes = training.model().sizes();
  index_t const keys = detail::queued_keys(read, path, sizes);
  reject_unknown_tensors(file,
                         path,
                         detail::layout_with_states(
                             layout, rule, mask, targets, detail::layout_of_queue(sizes, keys)));
  detail::require_same_objective(file, path, targets);
  auto const values = read_tensors<scalar>(file, path, layout);
  auto const states = detail::read_states(file, path, layout, rule, values);
  auto const of_mask = read_tensors<float>(file, path, detail::layout_of_mask(mask));
  auto const& options = training.options();
  progress.mask =
      detail::read_pending(file, path, mask, options.painted_samples() * options.accumulate);
  progress.norms = read_norms(read, sizes, options, progress.optimizer_steps);
  progress.keys = detail::read_queue(file, path, sizes, keys, training.num_images());
  std::vector<std::span<scalar const>> const views(states.begin(), states.end());
  training.model().backend().make_lane().upload(values.span(),
                                                training.model().parameters().values());
  detail::put_mask(training.model().mask(), of_mask);
  training.resume(progress, views);
  return report;
}

}  // namespace mae
