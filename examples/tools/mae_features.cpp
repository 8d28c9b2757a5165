// Writes the features that a checkpoint's encoder finds in images.

#include "feature_encoder.hpp"
#include "feature_flags.hpp"
#include "program.hpp"
#include "save_file.hpp"
#include "terminal.hpp"

#include <mae/core/types.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/safetensors_writer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace {

using mae::index_t;
using pretrain::usage_error;

enum class image_part { train, test };
constexpr pretrain::choice_words<image_part, 2> part_words{
    {{"train", image_part::train}, {"test", image_part::test}}};

struct features_options : tools::common_options {
  std::string out = "features.safetensors";
  mae::pooling pool = mae::pooling::mean;
  image_part part = image_part::train;
  index_t images = 0;
};

std::vector<pretrain::flag_group> flags_for(features_options& o) {
  return {{"Flags",
           {tools::model_flag(o),
            tools::data_flag(o),
            tools::unreadable_flag(o),
            pretrain::max_pixels_flag(o.settings),
            pretrain::choice("part", part_words, o.part, "which images of the data"),
            {"out",
             "FILE",
             pretrain::with_default("*.safetensors: features (n, width) and labels (n);\n"
                                    "*.npy: the features alone\n",
                                    o.out),
             pretrain::words(o.out)},
            tools::pooling_flag(o.pool),
            {"images",
             "N",
             "the first N images alone; 0: all [0]",
             pretrain::whole(o.images, 0, pretrain::a_billion)},
            tools::threads_flag(o)}},
          tools::known_group(o)};
}

/// The format of numpy.save, version 1.0: a header of text, padded to a multiple of 64 bytes.
void save_npy(std::string const& path, std::span<float const> values, index_t width) {
  auto const rows = static_cast<index_t>(values.size()) / width;
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" +
                       std::to_string(rows) + ", " + std::to_string(width) + "), }";
  constexpr std::size_t alignment = 64;
  constexpr std::size_t before = 10;  // magic, version, the header's length
  header.append(alignment - (before + header.size() + 1) % alignment, ' ');
  header += '\n';
  std::string start = "\x93NUMPY";
  start +=
      {'\1', '\0', static_cast<char>(header.size() % 256), static_cast<char>(header.size() / 256)};
  start += header;
  auto const text = std::as_bytes(std::span(start));
  auto const numbers = std::as_bytes(values);
  std::vector<std::byte> bytes(text.begin(), text.end());
  bytes.insert(bytes.end(), numbers.begin(), numbers.end());
  pretrain::save_bytes(path, bytes);
}

void save(features_options const& o,
          std::vector<float> const& features,
          index_t width,
          std::vector<std::int64_t> const& labels) {
  if (o.out.ends_with(".npy")) return save_npy(o.out, features, width);
  auto const count = std::ssize(features) / width;
  std::vector<mae::tensor_entry> tensors{{.name = "features",
                                          .type = mae::dtype::f32,
                                          .shape = {count, width},
                                          .bytes = std::as_bytes(std::span(features))}};
  if (!labels.empty())
    tensors.push_back({.name = "labels",
                       .type = mae::dtype::i64,
                       .shape = {count},
                       .bytes = std::as_bytes(std::span(labels))});
  mae::save_safetensors(o.out,
                        tensors,
                        {{"model", o.model},
                         {"pooling", std::string(pretrain::word_of(tools::pooling_words, o.pool))},
                         {"part", std::string(pretrain::word_of(part_words, o.part))}});
}

void run(features_options const& o) {
  if (!o.out.ends_with(".npy") && !o.out.ends_with(".safetensors"))
    throw usage_error("--out must end in .safetensors or .npy, not " + o.out);
  auto const model = tools::read_model(o, std::cerr);
  auto const threads = std::make_shared<mae::thread_pool>(o.settings.threads);
  tools::feature_encoder const encoder(model, threads);
  auto const sets = tools::load_sets(o, model, *threads);
  auto const& images = o.part == image_part::train ? sets.train : sets.test;
  index_t const count = o.images == 0 ? images.size() : std::min(o.images, images.size());
  pretrain::progress_line progress(
      std::cout, pretrain::style_for(1, false), pretrain::terminal_width(1));
  auto const features = encoder.encode(images, count, o.pool, progress);
  std::vector<std::int64_t> labels;
  if (images.num_classes() > 0)
    for (index_t i = 0; i < count; ++i) labels.push_back(images.label(i));
  save(o, features, encoder.width(o.pool), labels);
  std::cout << "wrote " << o.out << ": " << count << " features of width " << encoder.width(o.pool)
            << '\n';
}

constexpr char const* introduction =
    "Writes the features that a masked autoencoder's encoder finds in whole images.\n"
    "Usage: mae_features --model FILE|DIR --data DIR --out features.npy\n";

}  // namespace

int main(int argc, char** argv) {
  return pretrain::run_program("mae_features", "fewer --images need less", [&](char const* name) {
    features_options options;
    pretrain::run_or_explain(
        name, argc, argv, introduction, flags_for(options), [&](auto const& /*given*/) {
          run(options);
        });
  });
}
