#pragma once

#include <mae/core/error.hpp>
#include <mae/core/file_reading.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/head/cross_decoder.hpp>
#include <mae/interop/huggingface_config.hpp>
#include <mae/interop/huggingface_preprocessor.hpp>
#include <mae/interop/int8_collector.hpp>
#include <mae/interop/model_entries.hpp>
#include <mae/interop/naming.hpp>
#include <mae/interop/preprocessing.hpp>
#include <mae/interop/pretrained.hpp>
#include <mae/interop/statements.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/file.hpp>
#include <mae/io/folder_change.hpp>
#include <mae/io/head_list.hpp>
#include <mae/io/model_file.hpp>
#include <mae/io/parameter_file.hpp>
#include <mae/io/safetensors_writer.hpp>
#include <mae/model/pooling.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/staging.hpp>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace mae {

/// Who is to read a checkpoint: the official code and this library (a file); timm, which takes the
/// encoder alone (a file); Hugging Face's transformers (a folder); this library alone, the encoder
/// with the weights of its layers in int8 (a file).
enum class checkpoint_format { official, timm, huggingface, int8 };

namespace detail {

/// Writes the tensors of `layout`, which `tensors` gathers, under the names of `names`.
template <class File, class Tensors>
void write_tensors(File& file,
                   pretrained_model const& model,
                   parameter_layout const& layout,
                   naming const& names,
                   char const* held,
                   Tensors tensors) {
  for (auto const& tensor : layout.tensors())
    for (auto const& part : parts_in(names, model.layout.find(tensor.name)))
      tensors.add(part, model.values.span());
  auto description = model.description;
  if (held == std::string_view(contents::encoder)) {
    for (auto const& entry : describe(model.levels())) description.erase(entry.name);
    put(description, describe(model.levels().of_encoder()));
  }
  description["contents"] = held;
  if (model.crosses && held == std::string_view(contents::model))
    description[heads_entry] = cross_decoder_segment;
  description["format"] = "pt";  // without it, transformers refuses a file
  safetensors::write(file, tensors.entries(), description, model.path);
}

/// Makes the folders above a folder where they are missing.
inline void make_parents(std::string const& folder) {
  auto const whole = std::filesystem::absolute(folder).lexically_normal();
  auto const above = (whole.has_filename() ? whole : whole.parent_path()).parent_path();
  std::error_code failed;
  std::filesystem::create_directories(above, failed);
  if (failed) throw io_error(above.string(), "create folder", failed.value());
}

/// What a config.json is to say. Throws config_error where something is not known.
inline huggingface_config huggingface_config_of(pretrained_model const& model) {
  if (model.final_norm() == norm_place::pooled)
    throw config_error(model.path +
                       ": its final norm is of the pooled tokens (fc_norm), Hugging Face's models "
                       "normalise every token: --to timm and official write it as it is");
  if (model.sizes.encoder.heads == 0 || (model.has_decoder && model.sizes.decoder.heads == 0))
    throw config_error(model.path +
                       ": the file does not say how many heads its layers have, which config.json "
                       "must: --heads and --decoder-heads say it (read_options in a program)");
  if (model.crosses)
    throw config_error(model.path +
                       ": ViTMAE's decoder attends to all patches, this one to the visible ones: "
                       "--to official writes it as it is, and --to timm the encoder alone");
  if (model.has_decoder &&
      (!model.other_targets().empty() ||
       model.layout.find("decoder_pred.bias").size() != model.sizes.patch_values()))
    throw config_error(model.path + ": ViTMAE predicts pixels, this decoder something else");
  // An encoder of which nothing says that it was trained by masking is a plain ViT.
  huggingface_config config{.is_autoencoder = model.has_decoder || model.entry("mask").has_value(),
                            .sizes = model.sizes,
                            .norm_epsilon = model.norm_epsilon(),
                            .norm_pix = model.norm_pix().value_or(false)};
  if (auto const share = parse_share(model.entry("mask_ratio").value_or("")))
    config.mask_ratio = *share;
  return config;
}

/// The preprocessor_config.json of a model: as it was read, where it still says what holds; nothing
/// where statistics are not known.
inline std::string preprocessor_of(pretrained_model const& model) {
  auto const how = model.pictures();
  if (auto const kept = model.entry(kept_preprocessor)) {
    std::vector<std::string> ignored;
    auto then = parse_preprocessor(model.path, *kept, model.sizes.image, ignored);
    then.even_middle = how.even_middle;
    then.keeps_exact = how.keeps_exact;
    then.assumes_statistics = how.assumes_statistics;
    then.assumes_fit = how.assumes_fit;
    then.assumes_all = how.assumes_all;
    if (then == how) return *kept;
  }
  if (how.statistics.mean.empty()) return {};
  return preprocessor_text(model.path, how, model.sizes.image);
}

/// Throws config_error for what a format or a type of values cannot hold of a model.
inline void require_held(pretrained_model const& model, checkpoint_format format, dtype stored) {
  bool const is_int8 = format == checkpoint_format::int8;
  if (is_int8 && stored != dtype::f32)
    throw config_error(
        "a file in int8 has the rest of its tensors in fp32, and no other precision (--precision)");
  bool const is_told =
      format == checkpoint_format::timm ? model.levels().of_visible() > 0 : model.levels().is_on();
  if (!is_int8 && is_told)
    throw config_error(model.path +
                       ": its tokens are told levels of density (density_token), which other "
                       "libraries' models have not: save_encoder and save_model keep them, and "
                       "--to int8 writes a file for this library");
}

}  // namespace detail

/// Writes a checkpoint for another library, or for this one; what was there before stays as it was
/// when anything fails. `path` is a file, for Hugging Face a folder, which is made where there is
/// none; its other files stay. `stored` is f32, f16 or bf16, for int8 f32. Throws io_error;
/// config_error for what the other library or the type cannot hold; numeric_error for a value that
/// is not finite.
inline void save_pretrained(std::string const& path,
                            pretrained_model const& model,
                            checkpoint_format format,
                            dtype stored = dtype::f32) {
  bool const is_int8 = format == checkpoint_format::int8;
  detail::require_held(model, format, stored);
  bool const keeps_decoder = model.has_decoder && format != checkpoint_format::timm && !is_int8;
  if (keeps_decoder && model.other_targets() == "principal")
    throw config_error(model.path +
                       ": its decoder predicts principal components, which a copy would lack: "
                       "--to timm writes the encoder alone, and save_model a whole model");
  char const* const held = keeps_decoder ? contents::model : contents::encoder;
  auto layout = model.layout;
  if (!keeps_decoder) {
    layout = {};
    add_encoder(layout, model.sizes);
    add_levels(layout, model.sizes, model.levels());
  }
  if (format != checkpoint_format::huggingface) {
    atomic_file file(path);
    naming const names{.norm = model.names.norm};
    if (is_int8)
      detail::write_tensors(file, model, layout, names, held, detail::int8_collector());
    else
      detail::write_tensors(file, model, layout, names, held, tensor_collector<float>(stored));
    return file.commit();
  }
  auto const config =
      huggingface_config_text(detail::huggingface_config_of(model), model.has_decoder);
  auto const preprocessor = detail::preprocessor_of(model);
  if (!is_whole_path(path)) throw io_error(path, "create (its name has a NUL)", EINVAL);
  detail::make_parents(path);
  folder_change change(path);
  change.remove("model.safetensors.index.json");  // another model's
  detail::write_tensors(change.add("model.safetensors"),
                        model,
                        layout,
                        naming::hub(),
                        held,
                        tensor_collector<float>(stored));
  change.add_text("config.json", config);
  if (preprocessor.empty())
    change.remove("preprocessor_config.json");  // it would say how pixels are normalised
  else
    change.add_text("preprocessor_config.json", preprocessor);
  change.commit();
}

/// Throws io_error where save_pretrained could not write to `path`: to be asked before long work.
/// The folders above Hugging Face's are made.
inline void require_writable(std::string const& path, checkpoint_format format) {
  if (format != checkpoint_format::huggingface) return require_replaceable(path);
  detail::make_parents(path);
  folder_change(path).add("model.safetensors");
}

/// A model of this library as a checkpoint in memory, to be saved for another. Throws config_error
/// for a value that a float cannot hold.
template <class Model>
pretrained_model pretrained_of(Model const& model) {
  pretrained_model copy{.path = "the model", .sizes = model.sizes().config, .has_decoder = true};
  detail::put(copy.description, detail::model_entries(describe_model(model, contents::model)));
  copy.layout = model.layout();
  copy.crosses = copy.layout.contains(first_cross_query);
  copy.values = host_buffer<float>(copy.layout.size());
  host_values<typename Model::backend_type> const values(model.backend(),
                                                         model.parameters().values());
  for (auto const& tensor : copy.layout.tensors()) {
    auto const own = values.span().subspan(static_cast<std::size_t>(tensor.offset),
                                           static_cast<std::size_t>(tensor.size()));
    if (auto const lost = detail::first_overflow<float>(own))
      throw config_error("tensor " + tensor.name + " holds " + decimal_text(*lost) +
                         ", more than a float can");
  }
  std::ranges::transform(
      values.span(), copy.values.data(), [](auto value) { return static_cast<float>(value); });
  return copy;
}

}  // namespace mae
