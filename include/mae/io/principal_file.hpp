#pragma once

#include <mae/core/buffer.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/io/objective_file.hpp>
#include <mae/io/parameter_file.hpp>
#include <mae/io/progress_reader.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/network/layout.hpp>
#include <mae/objective/principal.hpp>

#include <string>
#include <utility>
#include <vector>

namespace mae {

/// The principal components that a model's or a training's file keeps for its targets. Throws
/// io_error, format_error (a damaged file), and config_error for one whose targets are others.
inline principal_basis read_principal_basis(std::string const& path) {
  auto const file = safetensors_file::load(path);
  auto const objective = file.metadata().find("objective");
  if (objective == file.metadata().end() || objective->second != "principal")
    throw config_error(path + ": its targets are no principal components, but " +
                       (objective == file.metadata().end() ? "unknown" : objective->second));
  progress_reader const read(path, file.metadata());
  auto const tensor = [&](char const* name, std::vector<index_t> shape) {
    parameter_layout layout;
    layout.add({.name = std::string(detail::objective_prefix) + name, .shape = std::move(shape)});
    auto const values = read_tensors<float>(file, path, layout);
    auto const size = layout.tensors().front().size();
    return std::vector<float>(values.data(), values.data() + size);
  };
  auto const* const found = file.find(std::string(detail::objective_prefix) + "components");
  if (found == nullptr || found->shape.size() != 2)
    throw format_error(path, 8, "metadata: the principal components are missing");
  auto const [kept, values] = std::pair(found->shape[0], found->shape[1]);
  if (kept < 1 || kept > values)
    throw format_error(path,
                       8,
                       "metadata: " + std::to_string(kept) + " principal components of " +
                           std::to_string(values) + " values cannot be");
  return {.mean = tensor("mean", {values}),
          .components = tensor("components", {kept, values}),
          .variances = tensor("variances", {values}),
          .patches = read.count("principal_patches")};
}

}  // namespace mae
