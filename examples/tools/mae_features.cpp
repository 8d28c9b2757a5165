// Writes the features that a checkpoint's encoder finds in images.

#include "assumed.hpp"
#include "decoded_pictures.hpp"
#include "feature_encoder.hpp"
#include "feature_file.hpp"
#include "feature_flags.hpp"
#include "feature_rows.hpp"
#include "images.hpp"
#include "picture_split.hpp"
#include "program.hpp"
#include "terminal.hpp"

#include <mae/core/parallel.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/data/cifar10.hpp>
#include <mae/images/picture_list.hpp>

#include <algorithm>
#include <cstddef>
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
        {"images",
         "N",
         "the first N images alone; 0: all [0]",
         pretrain::whole(o.images, 0, pretrain::a_billion)},
        tools::threads_flag(o)}},
      tools::known_group(o)};
}

/// Images, set after set, and what each is.
struct described_images {
  struct part {
    pretrain::image_set images;
    index_t count;
  };
  std::vector<part> parts;
  std::vector<tools::feature_row> rows;
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

described_images read_pictures(features_options const& o,
                               mae::picture_list const& all,
                               pretrain::image_request const& request,
                               tools::feature_file const& out,
                               mae::thread_pool& threads) {
  auto const list = choose_pictures(o, all);
  auto const rows = tools::rows_of(list);
  out.check(rows);
  auto decoded = pretrain::decode_pictures(list, request, threads, std::cerr);
  described_images found;
  for (auto const number : decoded.numbers)
    found.rows.push_back(rows[static_cast<std::size_t>(number)]);
  index_t const count = decoded.images.size();
  found.parts.push_back({pretrain::image_set(std::move(decoded.images)), count});
  return found;
}

described_images read_sets(features_options const& o,
                           pretrain::data_source const& source,
                           pretrain::image_request const& request,
                           mae::thread_pool& threads) {
  auto sets = pretrain::load_images(source, request, threads, std::cerr);
  std::span<std::string_view const> names;  // a class of the synthetic set is a number
  if (source.kind == pretrain::data_kind::cifar10) names = mae::cifar10_class_names;
  described_images found;
  index_t left = o.images == 0 ? std::numeric_limits<index_t>::max() : o.images;
  auto const add = [&](pretrain::image_set& images, std::string const& name) {
    index_t const count = std::min(left, images.size());
    if (count == 0) return;
    left -= count;
    std::ranges::move(tools::rows_of(images, name, count, names), std::back_inserter(found.rows));
    found.parts.push_back({std::move(images), count});
  };
  if (o.part != image_part::test) add(sets.train, "train");
  if (o.part != image_part::train) add(sets.test, "test");
  return found;
}

void run(features_options const& o) {
  tools::feature_file out(o.out);
  auto const model = tools::read_model(o, std::cerr);
  auto const threads = std::make_shared<mae::thread_pool>(o.settings.threads);
  tools::feature_encoder const encoder(model, threads);
  auto const source = tools::find_source(o);
  auto const request = tools::request_for(o, model, source, false);
  auto const found = source.kind == pretrain::data_kind::pictures
                         ? read_pictures(o, source.pictures, request, out, *threads)
                         : read_sets(o, source, request, *threads);
  pretrain::progress_line progress(
      std::cout, pretrain::style_for(1, false), pretrain::terminal_width(1));
  std::vector<float> features;
  for (auto const& [images, count] : found.parts)
    std::ranges::move(encoder.encode(images, count, o.pool, progress),
                      std::back_inserter(features));
  out.save(features,
           encoder.width(o.pool),
           found.rows,
           {{"model", o.model},
            {"pooling", std::string(pretrain::word_of(tools::pooling_words, o.pool))},
            {"part", std::string(pretrain::word_of(part_words, o.part))}});
  std::cout << "wrote " << mae::printable(out.names()) << ": " << found.rows.size()
            << " features of width " << encoder.width(o.pool) << '\n';
}

constexpr char const* introduction =
    "Writes the features that a masked autoencoder's encoder finds in whole images.\n"
    "Usage: mae_features --model FILE|DIR --data FILE|DIR --out features.npy\n";

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
