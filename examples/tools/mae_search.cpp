// Finds the pictures of a gallery that a checkpoint's encoder takes for most like others.

#include "feature_encoder.hpp"
#include "feature_flags.hpp"
#include "feature_rows.hpp"
#include "heat.hpp"
#include "named_images.hpp"
#include "picture.hpp"
#include "png_file.hpp"
#include "program.hpp"
#include "retrieval.hpp"
#include "save_file.hpp"
#include "terminal.hpp"

#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using mae::index_t;

struct search_options : tools::common_options {
  std::string gallery;
  std::string query;
  std::string out = "search";
  index_t results = 5;
  mae::pooling pool = mae::pooling::mean;
  tools::feature_precision precision = tools::feature_precision::fp32;
};

std::vector<pretrain::flag_group> flags_for(search_options& o) {
  constexpr std::uint64_t most_results = 100;
  return {
      {"Flags",
       {tools::model_flag(o),
        {"gallery",
         "DIR|synthetic",
         "where is looked: a folder of pictures (PNG, JPEG; folders in it are\n"
         "classes), a folder of CIFAR-10's binary version (its test images), or\n"
         "'synthetic'",
         pretrain::words(o.gallery)},
        {"query",
         "FILE|DIR",
         "what is looked for: a picture, or a folder of them; without this flag\n"
         "the gallery's own classes are graded alone",
         pretrain::words(o.query)},
        {"out",
         "DIR",
         pretrain::with_default("folder for results.csv and results.png, made when missing", o.out),
         pretrain::words(o.out)},
        {"results",
         "K",
         pretrain::with_default("how many pictures are shown for each query",
                                static_cast<double>(o.results)),
         pretrain::whole(o.results, 1, most_results)},
        tools::pooling_flag(o.pool),
        tools::feature_precision_flag(o.precision),
        tools::unreadable_flag(o),
        pretrain::max_pixels_flag(o.settings),
        tools::threads_flag(o)}},
      tools::known_group(o)};
}

/// Images with their features (n, width).
struct encoded_images {
  tools::named_images set;
  std::vector<float> features;
  index_t width = 0;

  index_t size() const { return std::ssize(set.rows); }
  mae::matrix_view<float const> rows() const { return {features.data(), size(), width}; }
};

encoded_images encode(search_options const& o,
                      tools::feature_encoder const& encoder,
                      tools::named_images set) {
  auto const name_of = [&](index_t i) { return set.rows[static_cast<std::size_t>(i)].file; };
  pretrain::progress_line progress(
      std::cout, pretrain::style_for(1, false), pretrain::terminal_width(1));
  auto features = encoder.encode(set.images, std::ssize(set.rows), o.pool, name_of, progress);
  progress.finish();
  return {std::move(set), std::move(features), encoder.width(o.pool)};
}

pretrain::float_image image_of(encoded_images const& images, index_t number) {
  pretrain::float_image image{
      images.set.images.extent(),
      std::vector<float>(static_cast<std::size_t>(images.set.images.extent().values()))};
  images.set.images.read(number, image.values);
  return pretrain::in_colour(image);
}

/// What was found for each query.
using all_found = std::vector<std::vector<tools::found_image>>;

/// results.csv (RFC 4180): a line for each picture found.
std::string table_of(encoded_images const& queries,
                     encoded_images const& gallery,
                     all_found const& found) {
  std::string table = "query,rank,file,class,cosine\r\n";
  for (std::size_t i = 0; i < found.size(); ++i) {
    index_t rank = 0;
    for (auto const& [number, cosine] : found[i]) {
      constexpr double millionths = 1e6;
      auto const& row = gallery.set.rows[static_cast<std::size_t>(number)];
      table += mae::csv_field(queries.set.rows[i].file) + ',' + std::to_string(++rank) + ',' +
               mae::csv_field(row.file) + ',' + mae::csv_field(row.class_name) + ',' +
               mae::decimal_text(std::round(cosine * millionths) / millionths) + "\r\n";
    }
  }
  return table;
}

/// The queries at the left, what was found for each beside it; one image's width lies between.
pretrain::picture sheet_of(encoded_images const& queries,
                           encoded_images const& gallery,
                           all_found const& found) {
  constexpr std::size_t most_queries = 50;
  std::vector<std::vector<pretrain::float_image>> rows;
  for (std::size_t i = 0; i < std::min(most_queries, found.size()); ++i) {
    auto query = image_of(queries, static_cast<index_t>(i));
    auto paper = query;
    std::ranges::fill(paper.values, 1.0F);
    rows.push_back({std::move(query), std::move(paper)});
    for (auto const& one : found[i]) rows.back().push_back(image_of(gallery, one.number));
  }
  auto layout = pretrain::layout_for(gallery.set.images.extent(), 1);
  return pretrain::draw_grid(rows, layout);
}

void say_classes(encoded_images const& gallery) {
  constexpr double percent = 100;
  std::vector<std::int64_t> labels;
  for (auto const& row : gallery.set.rows) labels.push_back(row.label);
  std::vector<index_t> const ks{1, 5, 10};
  auto const metrics = tools::measure_retrieval(gallery.rows(), labels, ks);
  if (metrics.queries == 0) {
    std::cout << "the gallery has no class of two images: nothing to grade\n";
    return;
  }
  std::cout << "of " << metrics.queries << " images of the gallery, each against the others:";
  for (std::size_t i = 0; i < ks.size(); ++i)
    std::cout << " recall@" << ks[i] << ' ' << percent * metrics.recall[i] << " %,";
  std::cout << " mAP " << percent * metrics.mean_average_precision << " %\n";
}

void run(search_options const& o) {
  if (o.gallery.empty())
    throw pretrain::usage_error("--gallery names the folder to look in; see --help");
  auto const model = tools::read_model(o, std::cerr);
  auto const threads = std::make_shared<mae::thread_pool>(o.settings.threads);
  tools::feature_encoder const encoder(model, threads, o.precision);
  auto const load = [&](std::string const& data) {
    return encode(o, encoder, tools::load_named_images(o, data, model, 0, *threads));
  };
  auto const gallery = load(o.gallery);
  if (!o.query.empty()) {
    auto const queries = load(o.query);
    all_found found;
    for (index_t i = 0; i < queries.size(); ++i)
      found.push_back(tools::most_like(gallery.rows(), queries.rows().row(i), o.results));
    std::filesystem::path const out(o.out);
    std::filesystem::create_directories(out);
    pretrain::save_text(out / "results.csv", table_of(queries, gallery, found));
    pretrain::save_png(sheet_of(queries, gallery, found), out / "results.png");
    std::cout << "wrote results.csv and results.png to " << mae::printable(o.out) << ": "
              << queries.size() << " queries in " << gallery.size() << " images\n";
  }
  say_classes(gallery);
}

constexpr char const* introduction =
    "Finds the images of a gallery that are most like others, by the cosine of the features that "
    "a\n"
    "masked autoencoder's encoder finds in them.\n"
    "Usage: mae_search --model FILE|DIR --gallery DIR --query FILE|DIR [--out DIR]\n";

}  // namespace

int main(int argc, char** argv) {
  return pretrain::run_program(
      "mae_search", "a smaller --gallery needs less", [&](char const* name) {
        search_options options;
        pretrain::run_or_explain(
            name, argc, argv, introduction, flags_for(options), [&](auto const& /*given*/) {
              run(options);
            });
      });
}
