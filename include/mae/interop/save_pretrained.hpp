#pragma once

#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/interop/huggingface_config.hpp>
#include <mae/interop/huggingface_preprocessor.hpp>
#include <mae/interop/naming.hpp>
#include <mae/interop/preprocessing.hpp>
#include <mae/interop/pretrained.hpp>
#include <mae/interop/statements.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/file.hpp>
#include <mae/io/model_file.hpp>
#include <mae/io/parameter_file.hpp>
#include <mae/io/safetensors_writer.hpp>
#include <mae/model/layout.hpp>
#include <mae/model/staging.hpp>

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace mae {

/// Who is to read a checkpoint: the official code and this library (a file); timm, which takes the
/// encoder alone (a file); Hugging Face's transformers (a folder).
enum class checkpoint_format { official, timm, huggingface };

namespace detail {

inline void write_text(std::string const& path, std::string_view text) {
  atomic_file file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

/// Writes the tensors of `layout` under the names of `names`, in `stored`.
inline void write_tensors(std::string const& path,
                          pretrained_model const& model,
                          parameter_layout const& layout,
                          naming const& names,
                          char const* held,
                          dtype stored) {
  tensor_collector<float> tensors(stored);
  for (auto const& tensor : layout.tensors())
    for (auto const& part : parts_in(names, model.layout.find(tensor.name)))
      tensors.add(part, model.values.span());
  auto description = model.description;
  description["contents"] = held;
  description["format"] = "pt";  // without it, transformers refuses a file
  save_safetensors(path, tensors.entries(), description);
}

/// What a config.json is to say. Throws config_error where something is not known.
inline huggingface_config huggingface_config_of(pretrained_model const& model) {
  if (model.sizes.encoder.heads == 0 || model.sizes.decoder.heads == 0)
    throw config_error(model.path +
                       ": the file does not say how many heads its layers have, which config.json "
                       "must: --heads and --decoder-heads say it (read_options in a program)");
  if (model.has_decoder &&
      model.layout.find("decoder_pred.bias").size() != model.sizes.patch_values())
    throw config_error(model.path + ": ViTMAE predicts pixels, this decoder something else");
  huggingface_config config{.sizes = model.sizes,
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
    if (then == how) return *kept;
  }
  if (how.statistics.mean.empty()) return {};
  return preprocessor_text(model.path, how, model.sizes.image);
}

}  // namespace detail

/// Writes a checkpoint for another library, or for this one; each file as a whole or not at all.
/// `path` is a file, for Hugging Face a folder, which is made where there is none. `stored` is f32,
/// f16 or bf16. Throws io_error; config_error for what the other library cannot hold.
inline void save_pretrained(std::string const& path,
                            pretrained_model const& model,
                            checkpoint_format format,
                            dtype stored = dtype::f32) {
  bool const keeps_decoder = model.has_decoder && format != checkpoint_format::timm;
  char const* const held = keeps_decoder ? contents::model : contents::encoder;
  auto layout = model.layout;
  if (!keeps_decoder) {
    layout = {};
    add_encoder(layout, model.sizes);
  }
  if (format != checkpoint_format::huggingface)
    return detail::write_tensors(path, model, layout, naming{}, held, stored);

  auto const config = huggingface_config_text(detail::huggingface_config_of(model));
  auto const preprocessor = detail::preprocessor_of(model);
  std::filesystem::path const folder(path);
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) throw io_error(path, "create folder", failed.value());
  // One of another model would say how this model's pixels are normalised.
  std::filesystem::remove(folder / "preprocessor_config.json", failed);
  if (failed) throw io_error(path, "remove preprocessor_config.json", failed.value());
  detail::write_tensors(
      (folder / "model.safetensors").string(), model, layout, naming::hub(), held, stored);
  detail::write_text((folder / "config.json").string(), config);
  if (!preprocessor.empty())
    detail::write_text((folder / "preprocessor_config.json").string(), preprocessor);
}

/// A model of this library as a checkpoint in memory, to be saved for another.
template <class Model>
pretrained_model pretrained_of(Model const& model) {
  pretrained_model copy{.path = "the model", .sizes = model.sizes().config, .has_decoder = true};
  detail::put(copy.description, detail::model_entries(describe_model(model, contents::model)));
  copy.layout = model.layout();
  copy.values = host_buffer<float>(copy.layout.size());
  host_values<typename Model::backend_type> const values(model.backend(),
                                                         model.parameters().values());
  std::ranges::transform(
      values.span(), copy.values.data(), [](auto value) { return static_cast<float>(value); });
  return copy;
}

}  // namespace mae
