// Grades a checkpoint's encoder with labels: a linear probe and nearest neighbours.

#include "assumed.hpp"
#include "chart.hpp"
#include "feature_encoder.hpp"
#include "feature_flags.hpp"
#include "grading.hpp"
#include "images.hpp"
#include "probe_report.hpp"
#include "program.hpp"
#include "save_file.hpp"
#include "terminal.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/eval/knn.hpp>
#include <mae/eval/labelled_features.hpp>
#include <mae/eval/linear_probe.hpp>
#include <mae/network/encoder_pass.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

using mae::index_t;

enum class reader_choice { knn, linear, both };
constexpr pretrain::choice_words<reader_choice, 3> reader_words{{{"knn", reader_choice::knn},
                                                                 {"linear", reader_choice::linear},
                                                                 {"both", reader_choice::both}}};

/// Whose tokens are read: those after the last block, after one of them, or after each.
struct layer_choice {
  bool all = false;
  index_t block = 0;  // 0: the last
};

struct probe_options : tools::common_options {
  mae::pooling pool = mae::pooling::mean;
  reader_choice readers = reader_choice::both;
  std::vector<index_t> neighbours;  // empty: the library's own number, if there are so many images
  std::string out;
  layer_choice layers;

  bool has_linear() const { return readers != reader_choice::knn; }
  bool has_knn() const { return readers != reader_choice::linear; }
};

/// "1,5,20": whole numbers, each once.
pretrain::reader numbers_of_neighbours(std::vector<index_t>& numbers) {
  return [&numbers](std::string const& text) {
    for (std::size_t begin = 0; begin <= text.size();) {
      std::size_t const end = std::min(text.find(',', begin), text.size());
      auto const number = static_cast<index_t>(
          pretrain::checked_whole(text.substr(begin, end - begin), 1, pretrain::a_billion));
      if (std::ranges::find(numbers, number) != numbers.end())
        throw pretrain::usage_error("has " + std::to_string(number) + " twice");
      numbers.push_back(number);
      begin = end + 1;
    }
  };
}

pretrain::reader layer(layer_choice& layers) {
  return [&layers](std::string const& text) {
    layers.all = text == "all";
    if (!layers.all)
      layers.block = static_cast<index_t>(pretrain::checked_whole(text, 1, pretrain::a_billion));
  };
}

std::vector<pretrain::flag_group> flags_for(probe_options& o) {
  return {{"Flags",
           {tools::model_flag(o),
            tools::data_flag(o),
            tools::unreadable_flag(o),
            pretrain::max_pixels_flag(o.settings),
            pretrain::test_flag(o.settings.tests),
            tools::pooling_flag(o.pool),
            pretrain::choice("probe",
                             reader_words,
                             o.readers,
                             "how: by nearest neighbours, by a linear classifier, or by both"),
            {"knn",
             "K,K,...",
             "how many nearest neighbours vote, each with exp(similarity / 0.07);\n"
             "of several numbers each has a column of its own [20]",
             numbers_of_neighbours(o.neighbours)},
            {"layer",
             "N|all",
             "read the tokens after block N (from 1), through the final norm, or after\n"
             "each block [the last]",
             layer(o.layers)},
            {"probe-images",
             "N",
             "grade on the first N training images and as many test images in\n"
             "proportion; 0: on all [0]",
             pretrain::whole(o.settings.probe_images, 0, pretrain::a_billion)},
            {"out",
             "DIR",
             "also write layers.csv there: a line for each block that is read, a\n"
             "column for each way of reading, in percent of the test images; with\n"
             "--layer all also layers.svg, their curves",
             pretrain::words(o.out)},
            tools::threads_flag(o)}},
          tools::known_group(o)};
}

void check_combinations(pretrain::given_flags const& given, probe_options const& o) {
  if (given.contains("knn") && !o.has_knn())
    throw pretrain::usage_error("--knn has no meaning with --probe linear");
}

/// What --knn says; without it the library's number, or all images where they are fewer.
std::vector<index_t> neighbours_of(probe_options const& o, index_t training_images) {
  if (!o.has_knn() || !o.neighbours.empty()) return o.neighbours;
  index_t const usual = mae::knn_options{}.neighbours;
  if (usual <= training_images) return {usual};
  pretrain::say_assumed(std::cerr,
                        std::to_string(training_images) +
                            " neighbours, as there are no more training images; --knn says "
                            "otherwise");
  return {training_images};
}

mae::block_range blocks_of(layer_choice const& layers, index_t depth) {
  if (layers.block > depth)
    throw pretrain::usage_error("--layer " + std::to_string(layers.block) + ": the encoder has " +
                                std::to_string(depth) + " blocks");
  if (layers.all) return {1, depth};
  index_t const block = layers.block == 0 ? depth : layers.block;
  return {block, block};
}

/// What is read, how, and by what.
struct probe_task {
  probe_options const& options;
  tools::feature_encoder const& encoder;
  pretrain::image_sets const& sets;
  pretrain::grading_size size;
  std::vector<index_t> neighbours;
  mae::eigen_backend<float> backend;
};

/// Features of some images after several blocks (n, blocks, width), and the images' classes.
struct features_of_blocks {
  pretrain::graded_features of;
  mae::block_range blocks;

  mae::labelled_features after(index_t block) const {
    auto const images = std::ssize(of.labels);
    index_t const each = std::ssize(of.values) / images;
    index_t const width = each / blocks.count();
    return {{of.values.data() + (block - blocks.first) * width, images, width, each}, of.labels};
  }
};

features_of_blocks encode(probe_task const& task,
                          pretrain::image_set const& images,
                          index_t count,
                          std::string const& name,
                          mae::block_range blocks) {
  std::cout << "encoding " << count << " of " << mae::printable(name) << std::endl;
  pretrain::progress_line progress(
      std::cout, pretrain::style_for(1, false), pretrain::terminal_width(1));
  auto const name_of = [&](index_t i) {
    return "image " + std::to_string(i) + " (from 0) of " + name;
  };
  auto features = task.encoder.encode(images, count, task.options.pool, blocks, name_of, progress);
  return {pretrain::with_labels(std::move(features), images, count), blocks};
}

tools::layer_scores read_layer(probe_task& task,
                               features_of_blocks const& train,
                               features_of_blocks const& test,
                               index_t block) {
  constexpr double percent = 100.0;
  index_t const classes = task.sets.train.num_classes();
  auto const seen = train.after(block);
  auto const unseen = test.after(block);
  tools::layer_scores scores{.layer = block};
  if (task.options.has_linear())
    scores.linear = percent * mae::linear_probe(task.backend, seen, unseen, classes).top1;
  if (task.options.has_knn())
    for (double const share : mae::knn_top1(task.backend, seen, unseen, classes, task.neighbours))
      scores.knn.push_back(percent * share);
  return scores;
}

/// Blocks whose features are held at once: they come from one pass.
index_t blocks_of_pass(probe_task const& task) {
  constexpr index_t most_bytes = index_t{4} << 30;
  index_t const each = (task.size.train + task.size.test) * task.encoder.width(task.options.pool) *
                       static_cast<index_t>(sizeof(float));
  return std::max<index_t>(1, most_bytes / each);
}

void read_layers(probe_task& task, mae::block_range blocks, tools::probe_report& report) {
  auto const& sets = task.sets;
  index_t const at_once = blocks_of_pass(task);
  for (index_t first = blocks.first; first <= blocks.last; first += at_once) {
    mae::block_range const pass{first, std::min(first + at_once - 1, blocks.last)};
    auto const train = encode(task, sets.train, task.size.train, sets.train_name, pass);
    auto const test = encode(task, sets.test, task.size.test, sets.test_name, pass);
    for (index_t block = pass.first; block <= pass.last; ++block)
      report.layers.push_back(read_layer(task, train, test, block));
  }
}

void save(std::string const& folder, tools::probe_report const& report, bool draws) {
  std::filesystem::path const out(folder);
  auto const write = [&](char const* name, std::string const& text) {
    pretrain::save_text(out / name, text);
    std::cout << "wrote " << mae::printable((out / name).string()) << '\n';
  };
  write("layers.csv", to_csv(report));
  if (draws) write("layers.svg", pretrain::render_svg(to_chart(report)));
}

void run(probe_options const& o) {
  if (!o.out.empty()) std::filesystem::create_directories(o.out);
  auto const model = tools::read_model(o, std::cerr);
  auto const blocks = blocks_of(o.layers, model.sizes.encoder.depth);
  auto const threads = std::make_shared<mae::thread_pool>(o.settings.threads);
  tools::feature_encoder const encoder(model, threads);
  auto const source = tools::find_source(o);
  auto const sets = pretrain::load_images(
      source, tools::request_for(o, model, source, true), *threads, std::cerr);
  pretrain::require_classes(sets);
  auto const size = pretrain::size_of_grading(sets, o.settings.probe_images);
  probe_task task{
      o, encoder, sets, size, neighbours_of(o, size.train), mae::eigen_backend<float>(threads)};
  tools::probe_report report{.neighbours = task.neighbours};
  read_layers(task, blocks, report);
  if (o.has_linear() && pretrain::can_grade_pixels(sets))
    report.pixels = pretrain::grade_pixels(sets, size, threads).linear;
  std::cout << size.train << " training and " << size.test << " test images of " << sets.name
            << ", " << sets.train.num_classes()
            << " classes; features: " << pretrain::word_of(tools::pooling_words, o.pool) << ", "
            << encoder.width(o.pool) << " values; top-1\n"
            << to_table(report, encoder.depth());
  if (!o.out.empty()) save(o.out, report, o.layers.all);
}

constexpr char const* introduction =
    "Reads classes off a masked autoencoder's frozen features: how good is its encoder?\n"
    "Usage: mae_probe --model FILE|DIR --data DIR|synthetic [--probe-images 10000]\n";

}  // namespace

int main(int argc, char** argv) {
  return pretrain::run_program(
      "mae_probe", "fewer --probe-images need less", [&](char const* name) {
        probe_options options;
        pretrain::run_or_explain(
            name, argc, argv, introduction, flags_for(options), [&](auto const& given) {
              check_combinations(given, options);
              run(options);
            });
      });
}
