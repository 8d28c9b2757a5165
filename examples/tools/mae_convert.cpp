// Converts checkpoints between this library, the official code, timm and Hugging Face, and to ONNX.

#include "assumed.hpp"
#include "checkpoint_flags.hpp"
#include "flag_values.hpp"
#include "program.hpp"

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/interop.hpp>
#include <mae/interop/onnx.hpp>
#include <mae/io/dtype.hpp>

#include <algorithm>
#include <cstddef>
#include <iomanip>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

namespace {

using pretrain::choice_words;
using pretrain::flag_group;
using pretrain::usage_error;

/// Who is to read it.
enum class reader { official, timm, huggingface, int8, onnx };

struct convert_options {
  std::string model;
  std::string out;
  reader to = reader::official;
  mae::dtype precision = mae::dtype::f32;  // of --to onnx, i8 is of its products
  tools::known_of_model known;
  bool describe = false;
};

constexpr choice_words<reader, 5> reader_words{{{"official", reader::official},
                                                {"timm", reader::timm},
                                                {"huggingface", reader::huggingface},
                                                {"int8", reader::int8},
                                                {"onnx", reader::onnx}}};
constexpr choice_words<mae::dtype, 4> precision_words{{{"fp32", mae::dtype::f32},
                                                       {"fp16", mae::dtype::f16},
                                                       {"bf16", mae::dtype::bf16},
                                                       {"int8", mae::dtype::i8}}};

std::vector<flag_group> flags_for(convert_options& o) {
  auto known = tools::known_flags(o.known);
  for (auto& flag : known)
    if (flag.name == "image-size")
      flag.description =
          "height and width of its images, where nothing says them; otherwise\n"
          "of those that it is to take: its tables of positions are resampled";
  return {
      {"Flags",
       {{"model",
         "FILE|DIR",
         "the checkpoint: a safetensors file of this library, of the official\n"
         "code or timm, an index of shards, or a folder of Hugging Face's or\n"
         "timm's",
         pretrain::words(o.model)},
        {"out", "FILE|DIR", "where to write; a folder for Hugging Face", pretrain::words(o.out)},
        pretrain::choice("to",
                         reader_words,
                         o.to,
                         "who is to read it: the official code and this library; timm, which\n"
                         "takes the encoder alone; transformers' ViTMAEForPreTraining; int8: this\n"
                         "library, the encoder in about a quarter of the bytes; what runs ONNX,\n"
                         "the encoder as a graph (docs/elsewhere.md)\n"),
        pretrain::choice(
            "precision",
            precision_words,
            o.precision,
            "of the values; of --to onnx of what the graph's layers multiply, fp32 or\n"
            "int8\n"),
        {"describe",
         "",
         "print what is known of the model, and its tensors; needs no --out",
         pretrain::set(o.describe)}}},
      {tools::known_title, std::move(known)}};
}

/// A size in words: 1234567 is "1,234,567".
std::string grouped(mae::index_t value) {
  std::string digits = std::to_string(value);
  for (auto at = static_cast<mae::index_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

/// What holds of pictures where no file says it.
mae::settings_list usual_entries(mae::pretrained_model const& model) {
  bool const has_colours = model.sizes.image.channels == 3;
  return {{"encoder_heads", "unknown"},
          {"picture_fit", "crop"},
          {"picture_resample", "bicubic"},
          {"pixel_mean", has_colours ? "ImageNet's" : "none"},
          {"pixel_deviation", has_colours ? "ImageNet's" : "none"},
          {"pixel_rescale", mae::decimal_text(mae::preprocessing::usual_rescale)}};
}

void describe(std::string const& path, mae::pretrained_model const& model) {
  using mae::printable;
  std::cout << printable(model.path) << '\n';
  auto entries = model.description;
  for (auto const& [name, value] : usual_entries(model))
    entries.emplace(name, value + (name == "pixel_rescale" ? "" : " (assumed)"));
  for (auto const& [name, value] : entries)
    if (name != mae::detail::kept_preprocessor)  // a file's text, of which the others are the sense
      std::cout << "  " << std::left << std::setw(20) << printable(name)
                << (name.size() < 20 ? "" : " ") << printable(value) << '\n';
  std::cout << "  " << std::setw(20) << "decoder"
            << (model.crosses       ? "by cross-attention"
                : model.has_decoder ? "yes"
                                    : "no")
            << '\n';

  auto const files = mae::tensor_files::open(path);
  std::size_t widest = 0;
  mae::index_t values = 0;
  mae::index_t tensors = 0;
  files.for_each([&](mae::tensor_files::found_tensor const& tensor) {
    widest = std::max(widest, tensor.entry.name.size());
  });
  files.for_each([&](mae::tensor_files::found_tensor const& tensor) {
    auto const& entry = tensor.entry;
    std::cout << std::left << std::setw(static_cast<int>(widest) + 2) << printable(entry.name)
              << std::setw(6) << mae::dtype_name(entry.type) << mae::detail::shape_text(entry.shape)
              << '\n';
    values += static_cast<mae::index_t>(entry.bytes.size() / mae::dtype_bytes(entry.type));
    ++tensors;
  });
  std::cout << tensors << " tensors, " << grouped(values) << " values\n";
}

/// The checkpoint, for images of --image-size.
mae::pretrained_model read(convert_options const& options) {
  auto const& [height, width] = options.known.image;
  auto known = tools::sizes_of(options.known);
  if (height == 0) return mae::read_pretrained(options.model, known);
  try {
    return mae::read_pretrained(options.model, known);  // its images are of this size
  } catch (mae::config_error const&) {
    known.image_height = known.image_width = 0;
  }
  auto const model = mae::read_pretrained(options.model, known);
  return mae::resize_images(model, {height, width, model.sizes.image.channels});
}

/// The format of a checkpoint for a reader of checkpoints.
mae::checkpoint_format format_for(reader to) {
  if (to == reader::timm) return mae::checkpoint_format::timm;
  if (to == reader::huggingface) return mae::checkpoint_format::huggingface;
  if (to == reader::int8) return mae::checkpoint_format::int8;
  return mae::checkpoint_format::official;
}

/// A preprocessor_config.json says how pictures are fitted, also where nobody knows.
void say_fit(mae::pretrained_model const& model) {
  auto const how = model.pictures();
  if (how.statistics.mean.empty() || !how.fit.empty()) return;
  bool const is_square = model.sizes.image.height == model.sizes.image.width;
  pretrain::say_assumed(
      std::cerr,
      std::string(is_square ? "of pictures the middle is taken" : "pictures are stretched") +
          "; --fit says otherwise");
}

void save(convert_options const& options, mae::pretrained_model& model) {
  if (options.to == reader::onnx) {
    tools::assume_statistics(model, std::cerr);  // the graph normalises pixels itself
    return mae::save_onnx(options.out,
                          model,
                          options.precision == mae::dtype::i8 ? mae::onnx_products::int8
                                                              : mae::onnx_products::floats);
  }
  if (options.to == reader::huggingface) say_fit(model);
  mae::save_pretrained(options.out, model, format_for(options.to), options.precision);
}

void run(convert_options const& options) {
  if (options.model.empty()) throw usage_error("--model names the checkpoint to read; see --help");
  if (options.out.empty() && !options.describe)
    throw usage_error("give --out, where to write, or --describe");
  bool const is_int8 = options.precision == mae::dtype::i8;
  if (options.to == reader::onnx && options.precision != mae::dtype::f32 && !is_int8)
    throw usage_error("--to onnx multiplies floats or int8: --precision fp32 or int8");
  if (options.to != reader::onnx && is_int8)
    throw usage_error("--precision int8 is of --to onnx: --to int8 writes this library's own file");
  if (!options.out.empty()) mae::require_writable(options.out, format_for(options.to));
  auto model = read(options);
  tools::say_pictures(options.known, model);
  tools::say_notes(model, std::cerr);
  if (options.describe) describe(options.model, model);
  if (options.out.empty()) return;
  save(options, model);
  std::cout << "wrote " << mae::printable(options.out)
            << (options.to == reader::int8 ? " in " : " for ")
            << pretrain::word_of(reader_words, options.to) << '\n';
}

constexpr char const* introduction =
    "Converts a masked autoencoder's checkpoint between this library, the official code, timm and\n"
    "Hugging Face, and to ONNX; docs/interop.md and docs/elsewhere.md show all ways.\n"
    "Usage: mae_convert --model FILE|DIR --out FILE|DIR [--to huggingface]\n"
    "       mae_convert --model FILE|DIR --describe\n";

}  // namespace

int main(int argc, char** argv) {
  return pretrain::run_program(
      "mae_convert", "the checkpoint is read as a whole", [&](char const* name) {
        convert_options options;
        pretrain::run_or_explain(
            name, argc, argv, introduction, flags_for(options), [&](auto const& /*given*/) {
              run(options);
            });
      });
}
