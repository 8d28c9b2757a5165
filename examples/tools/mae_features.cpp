// Writes the features that a checkpoint's encoder finds in images.

#include "assumed.hpp"
#include "decoded_pictures.hpp"
#include "encoding.hpp"
#include "feature_encoder.hpp"
#include "feature_file.hpp"
#include "feature_flags.hpp"
#include "feature_rows.hpp"
#include "images.hpp"
#include "picture_split.hpp"
#include "program.hpp"
#include "terminal.hpp"

#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/data/cifar10.hpp>
#include <mae/data/memory_dataset.hpp>
#include <mae/images/image_folder.hpp>
#include <mae/images/picture_list.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <iterator>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using mae::index_t;

enum class image_part { all, train, test };
constexpr pretrain::choice_words<image_part, 3> part_words{
    {{"all", image_part::all}, {"train", image_part::train}, {"test", image_part::test}}};

struct features_options : tools::common_options {
  std::string out = "features.safetensors";
  mae::pooling pool = mae::pooling::mean;
  tools::feature_precision precision = tools::feature_precision::fp32;
  image_part part = image_part::all;
  index_t images = 0;
};

std::vector<pretrain::flag_group> flags_for(features_options& o) {
  return {
      {"Flags",
       {tools::model_flag(o),
        tools::data_flag(o),
        tools::unreadable_flag(o),
        pretrain::max_pixels_flag(o.settings),
        pretrain::choice("part",
                         part_words,
                         o.part,
                         "of which images: all, those to train on, or those for tests; those\n"
                         "of CIFAR-10 and synthetic ones in their order, train before test,\n"
                         "pictures in the order of their paths' bytes"),
        pretrain::test_flag(o.settings.tests),
        {"out",
         "FILE",
         pretrain::with_default("*.npy: features (n, width), and beside it *.csv with a line\n"
                                "'row,file,class' for each (RFC 4180);\n"
                                "*.safetensors: features, labels (n; -1 without), and the same\n"
                                "table as the metadata entry 'rows'\n",
                                o.out),
         pretrain::words(o.out)},
        tools::pooling_flag(o.pool),
        tools::feature_precision_flag(o.precision),
        {"images",
         "N",
         "the first N images alone; 0: all [0]",
         pretrain::whole(o.images, 0, pretrain::a_billion)},
        tools::threads_flag(o)}},
      tools::known_group(o)};
}

/// Features (rows, width), and which image each row is of.
struct described_features {
  std::vector<float> values;
  std::vector<tools::feature_row> rows;
};

/// What features are found with.
struct feature_task {
  features_options const& options;
  tools::feature_encoder const& encoder;
  pretrain::image_request const& request;
  std::shared_ptr<mae::thread_pool> threads;
  pretrain::progress_line& progress;
};

/// The pictures that were asked for, before any is decoded.
mae::picture_list choose_pictures(features_options const& o, mae::picture_list list) {
  if (o.part != image_part::all) {
    auto sets = pretrain::split_pictures(list, o.settings.tests, false);
    for (auto const& line : sets.assumed) pretrain::say_assumed(std::cerr, line);
    list = std::move(o.part == image_part::train ? sets.train : sets.test);
  }
  std::ranges::sort(list.files, {}, &mae::picture_file::path);
  auto const count = static_cast<std::size_t>(o.images);
  if (count > 0 && count < list.files.size()) list.files.resize(count);
  return list;
}

/// Of pictures, of which those of a part are in memory at once.
described_features encode_pictures(feature_task const& task, mae::picture_list const& list) {
  auto const& request = task.request;
  auto const all = tools::rows_of(list);
  mae::image_folder const folder(list, pretrain::folder_options(request));
  described_features found;
  auto const encode = [&](index_t first, index_t size) {
    auto decoded = mae::decode_range(folder, first, first + size, *task.threads);
    pretrain::take_unreadable(decoded.unreadable, request, std::cerr);
    if (decoded.numbers.empty()) return std::vector<float>();
    auto const name_of = [&](index_t i) {
      return folder.path(decoded.numbers[static_cast<std::size_t>(i)]);
    };
    for (auto const number : decoded.numbers)
      found.rows.push_back(all[static_cast<std::size_t>(number)]);
    pretrain::image_set const images(
        mae::memory_dataset<std::uint8_t>(std::move(decoded.pixels), {.extent = folder.extent()}));
    return task.encoder.features(images, task.options.pool, name_of);
  };
  found.values = pretrain::encode_in_parts(
      folder.size(), {encode, task.encoder.images_of_part()}, task.progress, [] { return false; });
  if (found.rows.empty()) throw mae::config_error(list.folder + ": no picture of it can be read");
  return found;
}

described_features encode_sets(feature_task const& task, pretrain::data_source const& source) {
  auto const& o = task.options;
  auto const sets = pretrain::load_images(source, task.request, *task.threads, std::cerr);
  std::span<std::string_view const> names;  // a class of the synthetic set is a number
  if (source.kind == pretrain::data_kind::cifar10) names = mae::cifar10_class_names;
  described_features found;
  index_t left = o.images == 0 ? std::numeric_limits<index_t>::max() : o.images;
  auto const add = [&](pretrain::image_set const& images, std::string const& part) {
    index_t const count = std::min(left, images.size());
    if (count == 0) return;
    left -= count;
    auto rows = tools::rows_of(images, part, count, names);
    auto const name_of = [&](index_t i) { return rows[static_cast<std::size_t>(i)].file; };
    std::ranges::move(task.encoder.encode(images, count, o.pool, name_of, task.progress),
                      std::back_inserter(found.values));
    std::ranges::move(rows, std::back_inserter(found.rows));
  };
  if (o.part != image_part::test) add(sets.train, "train");
  if (o.part != image_part::train) add(sets.test, "test");
  return found;
}

void run(features_options const& o) {
  tools::feature_file out(o.out);
  auto const model = tools::read_model(o, std::cerr);
  auto const threads = std::make_shared<mae::thread_pool>(o.settings.threads);
  tools::feature_encoder const encoder(model, threads, o.precision);
  auto const source = tools::find_source(o);
  auto const request = tools::request_for(o, model, source, false);
  pretrain::progress_line progress(
      std::cout, pretrain::style_for(1, false), pretrain::terminal_width(1));
  feature_task const task{o, encoder, request, threads, progress};
  auto const found = [&] {
    if (source.kind != pretrain::data_kind::pictures) return encode_sets(task, source);
    auto const list = choose_pictures(o, source.pictures);
    out.check(tools::rows_of(list));
    return encode_pictures(task, list);
  }();
  out.save(
      found.values,
      encoder.width(o.pool),
      found.rows,
      {{"model", o.model},
       {"pooling", std::string(pretrain::word_of(tools::pooling_words, o.pool))},
       {"precision", std::string(pretrain::word_of(tools::feature_precision_words, o.precision))},
       {"activations", encoder.activations()},
       {"part", std::string(pretrain::word_of(part_words, o.part))}});
  std::cout << "wrote " << mae::printable(out.names()) << ": " << found.rows.size()
            << " features of width " << encoder.width(o.pool) << '\n';
}

constexpr char const* introduction =
    "Writes the features that a masked autoencoder's encoder finds in whole images.\n"
    "Usage: mae_features --model FILE|DIR --data FILE|DIR [--out features.npy]\n";

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
