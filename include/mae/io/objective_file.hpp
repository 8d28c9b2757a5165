#pragma once

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/parameter_file.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/network/layout.hpp>
#include <mae/objective/objective.hpp>

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mae::detail {

/// What the tensors of an objective are called before their names.
inline constexpr std::string_view objective_prefix = "objective.";

/// Those of a model that has an objective.
template <class Model>
auto objective_tensors(Model const& model) {
  if constexpr (requires { model.objective(); })
    return tensors_of(model.objective());
  else
    return std::vector<objective_tensor>();
}

/// Their names and shapes.
template <class Tensors>
parameter_layout layout_of_tensors(Tensors const& tensors) {
  parameter_layout layout;
  for (auto const& tensor : tensors)
    layout.add({.name = std::string(objective_prefix) + tensor.name, .shape = tensor.shape});
  return layout;
}

/// Adds them to a file's tensors; what they show must outlive the collector.
template <class T, class Tensors>
void add_objective(tensor_collector<T>& collected, Tensors const& tensors) {
  for (auto const& tensor : tensors)
    collected.add({.name = std::string(objective_prefix) + tensor.name,
                   .type = dtype::f32,
                   .shape = tensor.shape,
                   .bytes = std::as_bytes(tensor.values)});
}

/// Throws config_error where a file's targets depend on other values than the model's, and
/// format_error for a tensor that is missing or of another shape. A template, so that reading is
/// compiled where a file is read alone.
template <class Tensors>
void require_same_objective(safetensors_file const& file,
                            std::string const& path,
                            Tensors const& tensors) {
  auto const layout = layout_of_tensors(tensors);
  auto const values = read_tensors<float>(file, path, layout);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    auto const& place = layout.tensors()[i];
    if (!std::equal(
            tensors[i].values.begin(), tensors[i].values.end(), values.data() + place.offset))
      throw config_error(path + ": the targets' " + tensors[i].name +
                         " are others in the file than here: take the file's own, which decide "
                         "what its decoder predicts");
  }
}

}  // namespace mae::detail
