#pragma once

#include <mae/backend/eigen/declaration.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/head/decoder.hpp>
#include <mae/io/description.hpp>
#include <mae/io/head_list.hpp>
#include <mae/io/level_entries.hpp>
#include <mae/io/mask_file.hpp>
#include <mae/io/objective_file.hpp>
#include <mae/io/parameter_file.hpp>
#include <mae/io/queue_file.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/io/safetensors_writer.hpp>
#include <mae/mask/per_head.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/encoder.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/staging.hpp>
#include <mae/op/patch_loss.hpp>
#include <mae/train/trainable.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mae {

/// What a file of ours holds: the entry "contents" of its metadata.
namespace contents {
inline constexpr char const* encoder = "encoder";
inline constexpr char const* model = "model";
inline constexpr char const* training = "training";
}  // namespace contents

/// What a training minimises.
inline settings_list describe(patch_loss const& loss) {
  switch (loss.of) {
    case patch_loss::kind::squared:
      return {{"loss", "squared"}};
    case patch_loss::kind::l1:
      return {{"loss", "l1"}};
    case patch_loss::kind::smooth_l1:
      return {{"loss", "smooth_l1"}, {"loss_beta", decimal_text(loss.beta)}};
  }
  return {};
}

namespace detail {

/// Of a model that paints.
template <class Model>
settings_list describe_objective(Model const& model) {
  settings_list list;
  if constexpr (requires { model.objective(); }) {
    list = settings_of("objective", model.objective());
    for (auto& entry : describe(model.loss())) list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace detail

namespace detail {

/// What a model's images are masked by; of masks that differ from head to head, those of the heads
/// that are on, under the heads' names.
template <class Model>
settings_list describe_mask(Model const& model) {
  auto const& mask = model.mask();
  if constexpr (!MaskPerHead<typename Model::mask_type>) {
    return settings_of("mask", mask);
  } else {
    auto const& parts = model.sizes();
    auto const on = heads_on(parts);
    std::size_t first = 0;
    while (!on[first]) ++first;
    bool differs = false;
    for (std::size_t head = 0; head < on.size(); ++head)
      differs = differs || (on[head] && mask.plans_as(head) != mask.plans_as(first));
    if (!differs) return mask.settings_of(first);
    settings_list list{{"mask", "of_each_head"}};
    for (std::size_t head = 0; head < on.size(); ++head)
      if (on[head]) add_under(std::string(parts.names()[head]), mask.settings_of(head), list);
    return list;
  }
}

}  // namespace detail

/// Everything that a model's file says about it: sizes, parts and pixel statistics; and `more`,
/// what a program knows besides, as how pictures become its images (docs/files.md).
template <Trainable Model>
safetensors_metadata describe_model(Model const& model,
                                    char const* held,
                                    settings_list const& more = {}) {
  safetensors_metadata description{{"contents", held},
                                   {"norm_epsilon", decimal_text(model.sizes().norm_epsilon)},
                                   {"position_order", position_order}};
  auto const add = [&](settings_list const& list) {
    for (auto const& [name, value] : list) description[name] = value;
  };
  add(describe(model.sizes().config));
  add(describe(model.statistics()));
  if (model.sizes().final_norm == norm_place::pooled) add({{"final_norm", "pooled"}});
  bool const is_encoder = held == std::string_view(contents::encoder);
  add(describe(is_encoder ? model.sizes().levels.of_encoder() : model.sizes().levels));
  add(detail::describe_mask(model));
  add(detail::describe_objective(model));
  if (!is_encoder) add(describe_heads(model.layout(), model.sizes()));
  for (auto const& [name, value] : more) description.emplace(name, value);
  return description;
}

/// Writes a model under the official parameter names, with its sizes, parts and pixel statistics,
/// as a whole or not at all; `more` as describe_model. Throws io_error when the system refuses;
/// numeric_error, and leaves a file that is there, for a parameter that is not finite.
template <Trainable Model>
void save_model(std::string const& path, Model const& model, settings_list const& more = {}) {
  tensor_collector<typename Model::scalar> tensors;
  host_values<typename Model::backend_type> const values(model.backend(),
                                                         model.parameters().values());
  tensors.add(model.layout(), values.span());
  detail::add_mask(tensors, model.mask());
  detail::add_objective(tensors, detail::objective_tensors(model));
  save_safetensors(path,
                   tensors.entries(),
                   describe_model(model, contents::model, more),
                   non_finite_values::refused);
}

/// Writes what users keep of a model: the encoder alone, the norm of what is pooled with it where
/// that is the final one. Its file has the names of timm's encoder.
/// `more` and errors as of save_model.
template <Trainable Model>
void save_encoder(std::string const& path, Model const& model, settings_list const& more = {}) {
  tensor_collector<typename Model::scalar> tensors;
  host_values<typename Model::backend_type> const values(model.backend(),
                                                         model.parameters().values());
  bool const is_pooled = model.sizes().final_norm == norm_place::pooled;
  for (auto const& tensor : model.layout().tensors())
    if (tensor.segment == encoder_segment || (is_pooled && tensor.name.starts_with("fc_norm.")))
      tensors.add(tensor, values.span());
  save_safetensors(path,
                   tensors.entries(),
                   describe_model(model, contents::encoder, more),
                   non_finite_values::refused);
}

/// Puts a model file's parameters and pixel statistics into a model of the same sizes, and what a
/// mask has learned, where the file tells, into one that learns; the model is as it was when
/// anything is wrong. Throws io_error, format_error (a damaged file; a missing,
/// extra or differently shaped tensor), config_error (a file of other sizes, of another objective
/// or without one of the model's heads, by name). Returns the heads of the file that the model
/// lacks: their tensors were left.
template <Trainable Model>
std::vector<std::string> load_model(std::string const& path, Model& model) {
  auto const file = safetensors_file::load(path);
  require_equal(path, file.metadata(), describe(model.sizes().config));
  if constexpr (requires { model.objective(); })
    require_equal(path, file.metadata(), settings_of("objective", model.objective()));
  require_equal(path,
                file.metadata(),
                {{"norm_epsilon", decimal_text(model.sizes().norm_epsilon)},
                 {"position_order", position_order}});
  require_equal(path, file.metadata(), describe_heads(model.sizes()));
  auto levels = parse_levels(path, file.metadata());
  if constexpr (!requires { model.objective(); }) levels = levels.of_encoder();  // no decoder here
  require_same_levels(path, levels, model.sizes().levels);
  auto left = heads_left_out(path, file.metadata(), model.layout());
  if (left.empty())
    reject_unknown_tensors(
        file,
        path,
        model.layout(),
        {"optimizer.", detail::mask_prefix, detail::objective_prefix, detail::queue_prefix});
  detail::require_same_objective(file, path, detail::objective_tensors(model));
  auto const values = read_tensors<typename Model::scalar>(file, path, model.layout());
  auto const of_mask = detail::read_mask(file, path, std::as_const(model).mask());
  auto statistics = parse_statistics(path, file.metadata(), model.sizes().config.image.channels);
  if (!statistics.mean.empty()) model.set_statistics(std::move(statistics));
  model.backend().make_lane().upload(std::span<typename Model::scalar const>(values.span()),
                                     model.parameters().values());
  if (of_mask) detail::put_mask(model.mask(), *of_mask);
  return left;
}

/// Loads the encoder of an encoder's or a whole model's file, whatever decoder it was trained with.
/// Throws as load_model.
template <model_config Config, Backend B = eigen_backend<float>>
encoder<Config, B> load_encoder(std::string const& path, B backend = B{}) {
  auto const file = safetensors_file::load(path);
  auto sizes = describe(Config);
  std::erase_if(sizes, [](setting const& size) { return size.name.starts_with("decoder_"); });
  sizes.push_back({"position_order", position_order});
  require_equal(path, file.metadata(), sizes);
  encoder<Config, B> loaded(0,
                            std::move(backend),
                            parse_norm_epsilon(path, file.metadata(), 1e-6),
                            parse_levels(path, file.metadata()));
  if (!loaded.levels().is_on() && file.find(visible_levels_name) != nullptr)
    throw format_error(path, 8, "it has a tensor density_token, and does not say of which levels");
  // What was fine-tuned on the mean has its norm there, under another name.
  bool const pools_first = file.find("norm.weight") == nullptr && file.find(pooled_norm) != nullptr;
  parameter_layout named;
  for (auto tensor : loaded.layout().tensors()) {
    if (pools_first && tensor.name.starts_with("norm.")) tensor.name.insert(0, "fc_");
    named.add(tensor);
  }
  if (pools_first) loaded.set_final_norm(norm_place::pooled);
  if (heads_in(file.metadata()) == std::vector{std::string(decoder_segment)})
    reject_unknown_tensors(file,
                           path,
                           named,
                           {"decoder_",
                            "mask_token",
                            "optimizer.",
                            detail::mask_prefix,
                            detail::objective_prefix,
                            detail::queue_prefix});
  auto const values = read_tensors<typename B::scalar>(file, path, named);
  loaded.set_parameters(values.span());
  loaded.set_statistics(parse_statistics(path, file.metadata(), Config.image.channels));
  return loaded;
}

}  // namespace mae
