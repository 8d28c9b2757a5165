#include "class_head.hpp"

#include "flag_values.hpp"

#include <mae/core/csv.hpp>
#include <mae/core/error.hpp>
#include <mae/core/text.hpp>
#include <mae/head/classifier.hpp>
#include <mae/interop/tensor_files.hpp>
#include <mae/io/head_list.hpp>
#include <mae/io/parameter_file.hpp>
#include <mae/io/quantised_tensor.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace serve {
namespace {

using mae::index_t;

constexpr std::int64_t most_classes = 1'000'000;

[[noreturn]] void refuse(mae::pretrained_model const& model, std::string const& why) {
  throw mae::config_error(model.path + ": " + why +
                          "; --classifier takes the model.safetensors of a mae_finetune that "
                          "learned classes");
}

/// What the file says of its classifier.
std::string entry_of(mae::safetensors_metadata const& metadata, std::string const& name) {
  auto const found = metadata.find(std::string(mae::classifier::name) + '.' + name);
  return found == metadata.end() ? "" : found->second;
}

mae::pooling pooling_of(mae::pretrained_model const& model, std::string const& text) {
  for (auto const pool : {mae::pooling::class_token, mae::pooling::mean, mae::pooling::both})
    if (text == mae::name_of(pool)) return pool;
  refuse(model, "its classifier pools by " + mae::in_quotes(text));
}

std::vector<float> read_tensor(mae::tensor_files const& files,
                               std::string const& name,
                               std::vector<index_t> const& shape) {
  auto const* const entry = files.find(name);
  mae::tensor_spec const tensor{.name = name, .shape = shape};
  mae::require_fit(entry, files.path_of(name), name, tensor);
  std::vector<float> values(static_cast<std::size_t>(tensor.size()));
  mae::read_entry(
      files.path_of(name), *entry, files.find(mae::scale_name(name)), tensor, std::span(values));
  if (!std::ranges::all_of(values, [](float value) { return std::isfinite(value); }))
    throw mae::format_error(files.path_of(name), 0, name + " is not finite");
  return values;
}

std::vector<std::string> names_of(std::string const& path, std::string const& line, index_t count) {
  if (line.empty()) {
    std::vector<std::string> names;
    for (index_t i = 0; i < count; ++i) names.push_back(std::to_string(i));
    return names;
  }
  auto names = mae::csv_table(path, line).names();
  if (std::ssize(names) != count)
    throw mae::format_error(path,
                            8,
                            "metadata: classifier.class_names has " + std::to_string(names.size()) +
                                " names for " + std::to_string(count) + " classes");
  return names;
}

}  // namespace

std::vector<double> class_head::probabilities(std::span<float const> feature) const {
  std::size_t const token = feature.size() / 2;
  if (pool == mae::pooling::class_token) feature = feature.first(token);
  if (pool == mae::pooling::mean) feature = feature.last(token);
  std::vector<double> scores(bias.begin(), bias.end());
  for (std::size_t k = 0; k < scores.size(); ++k)
    for (std::size_t i = 0; i < feature.size(); ++i)
      scores[k] += static_cast<double>(weight[k * feature.size() + i]) * feature[i];
  double const greatest = *std::ranges::max_element(scores);
  double sum = 0;
  for (double& score : scores) sum += score = std::exp(score - greatest);
  for (double& score : scores) score /= sum;
  return scores;
}

class_head read_class_head(mae::pretrained_model const& model) {
  auto const files = mae::tensor_files::open(model.path);
  auto const& metadata = files.metadata();
  auto const heads = mae::heads_in(metadata);
  if (!metadata.contains(mae::heads_entry) ||
      std::ranges::find(heads, mae::classifier::name) == heads.end())
    refuse(model, "holds no classifier");
  auto const classes =
      pretrain::parse_number<std::int64_t>(entry_of(metadata, "classes")).value_or(0);
  if (classes < 2 || classes > most_classes) refuse(model, "does not say how many classes it has");
  bool const normalises = entry_of(metadata, "norm") == "yes";
  if (normalises != (model.final_norm() == mae::norm_place::pooled))
    refuse(model, "its classifier's norm stands beside the encoder's own, which is not served");
  class_head head{.pool = pooling_of(model, entry_of(metadata, "pooling"))};
  index_t const width = mae::pooled_width(head.pool, model.sizes.encoder.width);
  head.weight = read_tensor(files, "head.weight", {classes, width});
  head.bias = read_tensor(files, "head.bias", {classes});
  head.names = names_of(model.path, entry_of(metadata, "class_names"), classes);
  return head;
}

}  // namespace serve
