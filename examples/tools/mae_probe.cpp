// Grades a checkpoint's encoder with labels: a linear probe and nearest neighbours.

#include "assumed.hpp"
#include "chart.hpp"
#include "feature_encoder.hpp"
#include "feature_flags.hpp"
#include "folds.hpp"
#include "grading.hpp"
#include "images.hpp"
#include "labelled_folder.hpp"
#include "page.hpp"
#include "probe_flags.hpp"
#include "probe_report.hpp"
#include "program.hpp"
#include "save_file.hpp"
#include "terminal.hpp"
#include "visible_objects.hpp"
#include "visible_patches.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/eval/attentive_probe.hpp>
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
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using mae::index_t;

/// What --knn says; without it the library's number, or all images where they are fewer.
std::vector<index_t> neighbours_of(tools::probe_options const& o, index_t training_images) {
  if (!o.has_knn() || !o.neighbours.empty()) return o.neighbours;
  index_t const usual = mae::knn_options{}.neighbours;
  if (usual <= training_images) return {usual};
  pretrain::say_assumed(std::cerr,
                        std::to_string(training_images) +
                            " neighbours, as there are no more training images; --knn says "
                            "otherwise");
  return {training_images};
}

mae::block_range blocks_of(tools::layer_choice const& layers, index_t depth) {
  if (layers.block > depth)
    throw pretrain::usage_error("--layer " + std::to_string(layers.block) + ": the encoder has " +
                                std::to_string(depth) + " blocks");
  if (layers.all) return {1, depth};
  index_t const block = layers.block == 0 ? depth : layers.block;
  return {block, block};
}

constexpr double percent = 100.0;

/// What is read, how, and by what.
struct probe_task {
  tools::probe_options const& options;
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

/// What is said while images are encoded, and what each is called.
template <class Encode>
auto encode_aloud(index_t count, std::string const& name, Encode const& encode) {
  std::cout << "encoding " << count << " of " << mae::printable(name) << std::endl;
  pretrain::progress_line progress(
      std::cout, pretrain::style_for(1, false), pretrain::terminal_width(1));
  tools::image_name const name_of = [&](index_t i) {
    return "image " + std::to_string(i) + " (from 0) of " + name;
  };
  return encode(name_of, progress);
}

features_of_blocks encode(probe_task const& task,
                          pretrain::image_set const& images,
                          index_t count,
                          std::string const& name,
                          mae::block_range blocks,
                          mae::see_patches const* seen = nullptr) {
  return encode_aloud(count, name, [&](auto const& name_of, auto& progress) {
    auto features =
        task.encoder.encode(images, count, task.options.pool, blocks, name_of, progress, seen);
    return features_of_blocks{pretrain::with_labels(std::move(features), images, count), blocks};
  });
}

void read_features(probe_task& task,
                   mae::labelled_features const& train,
                   mae::labelled_features const& test,
                   tools::layer_scores& scores) {
  index_t const classes = task.sets.train.num_classes();
  if (task.options.has_linear())
    scores.linear = percent * mae::linear_probe(task.backend, train, test, classes).top1;
  if (task.options.has_knn())
    for (double const share : mae::knn_top1(task.backend, train, test, classes, task.neighbours))
      scores.knn.push_back(percent * share);
}

/// Reads features of training images by folds: scores are of all of them, each graded once.
void read_folds(probe_task& task, mae::labelled_features const& all, tools::layer_scores& scores) {
  index_t const folds = task.options.folds;
  if (all.size() < 2 * folds)
    throw pretrain::usage_error("--folds " + std::to_string(folds) + " needs at least " +
                                std::to_string(2 * folds) + " training images, and there are " +
                                std::to_string(all.size()));
  std::vector<double> knn(task.options.has_knn() ? task.neighbours.size() : 0);
  for (index_t fold = 0; fold < folds; ++fold) {
    tools::fold_of_images const parts(all, fold, folds);
    tools::layer_scores found;
    read_features(task, parts.others.view(), parts.held_out.view(), found);
    double const share =
        static_cast<double>(std::ssize(parts.held_out.labels)) / static_cast<double>(all.size());
    if (found.linear) scores.linear = scores.linear.value_or(0) + share * *found.linear;
    for (std::size_t k = 0; k < knn.size(); ++k) knn[k] += share * found.knn[k];
  }
  scores.knn = std::move(knn);
}

/// Reads features of as many blocks at once as memory may hold: they come from one pass.
void read_features(probe_task& task, std::vector<tools::layer_scores>& layers) {
  constexpr index_t most_bytes = index_t{4} << 30;
  auto const& [options, encoder, sets, size, neighbours, backend] = task;
  index_t const bytes =
      (size.train + size.test) * encoder.width(options.pool) * static_cast<index_t>(sizeof(float));
  auto const at_once = static_cast<std::size_t>(std::max<index_t>(1, most_bytes / bytes));
  for (std::size_t first = 0; first < layers.size(); first += at_once) {
    auto const pass = std::span(layers).subspan(first, std::min(at_once, layers.size() - first));
    mae::block_range const blocks{pass.front().layer, pass.back().layer};
    auto const train = encode(task, sets.train, size.train, sets.train_name, blocks);
    if (options.folds > 0) {
      for (auto& scores : pass) read_folds(task, train.after(scores.layer), scores);
      continue;
    }
    auto const test = encode(task, sets.test, size.test, sets.test_name, blocks);
    for (auto& scores : pass)
      read_features(task, train.after(scores.layer), test.after(scores.layer), scores);
  }
}

/// Reads features of images of which some patches are seen, a number after the other.
void read_visible(probe_task& task,
                  mae::pretrained_model const& model,
                  mae::block_range blocks,
                  tools::probe_report& report) {
  auto const& sets = task.sets;
  report.patches = task.encoder.patches();
  for (index_t const number : task.options.visible) {
    auto const chooser =
        tools::choose_patches(task.options, model, sets.train, number, task.backend.threads());
    auto const see_training = chooser.of_set(tools::seen_set::training);
    auto const see_tests = chooser.of_set(tools::seen_set::tests);
    auto const train =
        encode(task, sets.train, task.size.train, sets.train_name, blocks, &see_training);
    auto& scores =
        report.layers.emplace_back(tools::layer_scores{.layer = blocks.last, .visible = number});
    bool const by_folds = task.options.folds > 0;
    if (by_folds) {
      read_folds(task, train.after(blocks.last), scores);
    } else {
      auto const test = encode(task, sets.test, task.size.test, sets.test_name, blocks, &see_tests);
      read_features(task, train.after(blocks.last), test.after(blocks.last), scores);
    }
    scores.seen =
        chooser.mean_visible(by_folds ? tools::seen_set::training : tools::seen_set::tests);
  }
}

/// The images whose patch tokens fit the memory for them, which is said where not all do.
pretrain::grading_size size_for_tokens(probe_task const& task) {
  constexpr double gigabyte = 1e9;
  auto const& size = task.size;
  index_t const bytes = task.encoder.patches() * task.encoder.token_width() *
                        static_cast<index_t>(sizeof(mae::bfloat16));
  index_t const all = size.train + size.test;
  double const fitting = task.options.token_gigabytes * gigabyte / static_cast<double>(all * bytes);
  if (fitting >= 1) return size;
  auto const share = [&](index_t images) {
    return static_cast<index_t>(static_cast<double>(images) * fitting);
  };
  pretrain::grading_size const read{std::max<index_t>(2, share(size.train)),
                                    std::max<index_t>(1, share(size.test))};
  pretrain::say_assumed(
      std::cerr,
      "the attentive classifier reads the first " + std::to_string(read.train) + " training and " +
          std::to_string(read.test) + " test images, whose patch tokens take " +
          mae::decimal_text(task.options.token_gigabytes) + " GB; --token-memory says otherwise");
  return read;
}

/// Reads patch tokens, of one block at a time.
void read_tokens(probe_task const& task, std::vector<tools::layer_scores>& layers) {
  auto const& sets = task.sets;
  auto const size = size_for_tokens(task);
  index_t const each = task.encoder.patches() * task.encoder.token_width();
  for (auto& scores : layers) {
    auto const encode =
        [&](pretrain::image_set const& images, index_t count, std::string const& name) {
          return encode_aloud(count, name, [&](auto const& name_of, auto& progress) {
            return task.encoder.encode_patches(images, count, scores.layer, name_of, progress);
          });
        };
    auto const train = encode(sets.train, size.train, sets.train_name);
    auto const test = encode(sets.test, size.test, sets.test_name);
    auto const train_labels = pretrain::with_labels({}, sets.train, size.train).labels;
    auto const test_labels = pretrain::with_labels({}, sets.test, size.test).labels;
    auto const found = mae::attentive_probe<mae::eigen_backend<float>, mae::bfloat16>(
        task.backend,
        {{train.data(), size.train, each}, train_labels},
        {{test.data(), size.test, each}, test_labels},
        sets.train.num_classes(),
        task.encoder.patches(),
        {.queries = task.options.queries});
    scores.attentive = percent * found.top1;
  }
}

std::vector<pretrain::page_entry> settings_of(probe_task const& task) {
  auto const& o = task.options;
  std::vector<pretrain::page_entry> all{
      {"model", o.model},
      {"data", task.sets.name},
      {"training images", std::to_string(task.size.train)},
      o.folds > 0 ? pretrain::page_entry{"folds", std::to_string(o.folds)}
                  : pretrain::page_entry{"test images", std::to_string(task.size.test)},
      {"classes", std::to_string(task.sets.train.num_classes())},
      {"precision", std::string(pretrain::word_of(tools::feature_precision_words, o.precision))}};
  if (o.has_linear() || o.has_knn())
    all.push_back({"features",
                   std::string(pretrain::word_of(tools::pooling_words, o.pool)) + ", " +
                       std::to_string(task.encoder.width(o.pool)) + " values"});
  if (o.has_attentive())
    all.push_back({"attentive",
                   std::to_string(o.queries) + " queries over " +
                       std::to_string(task.encoder.patches()) + " patch tokens"});
  if (!o.visible.empty()) all.push_back({"mask", std::string(pretrain::name(o.settings.mask))});
  return all;
}

void save(probe_task const& task, tools::probe_report const& report) {
  std::filesystem::path const out(task.options.out);
  auto const write = [&](std::string const& name, std::string const& text) {
    pretrain::save_text(out / name, text);
    std::cout << "wrote " << mae::printable((out / name).string()) << '\n';
  };
  std::string const name = report.is_over_visible() ? "visible" : "layers";
  write(name + ".csv", to_csv(report));
  if (report.is_over_visible()) write("visible.json", to_json(report));
  if (report.is_over_visible()) write("visible.svg", pretrain::render_svg(to_chart(report)));
  if (task.options.layers.all) write("layers.svg", pretrain::render_svg(to_chart(report)));
  auto const title = task.options.model + " on " + task.sets.name;
  write("report.html",
        pretrain::render_html(to_page(report, task.encoder.depth(), title, settings_of(task))));
}

/// Says how much of the objects in the test images is visible.
void run_objects(tools::probe_options const& o) {
  auto const model = tools::read_model(o, std::cerr);
  tools::require_patches(o.visible, model);
  mae::thread_pool threads(o.settings.threads);
  auto const source = tools::find_source(o);
  bool const is_painted = source.kind == pretrain::data_kind::synthetic;
  if (is_painted && !o.split.empty())
    throw pretrain::usage_error("--split is for folders: synthetic images have their own tests");
  tools::label_request const request{
      .masks = true,
      .instances = !is_painted && !std::filesystem::exists(source.folder / "masks") &&
                   std::filesystem::exists(source.folder / "labels"),
      .split = o.split,
      .images = tools::request_for(o, model, source, false)};
  auto const sets =
      is_painted ? tools::load_labelled_synthetic(request, threads, std::cerr)
                 : tools::load_labelled_folder(source.folder.string(), request, threads, std::cerr);
  // Masks of a file are those of the images that they are laid over; others are measured.
  auto const& known =
      o.settings.mask == pretrain::mask_choice::file ? sets.test.images : sets.train.images;
  std::vector<tools::objects_seen> found;
  auto const look = [&](std::optional<index_t> number) {
    auto const chooser = tools::choose_patches(o, model, known, number, threads);
    found.push_back(tools::see_objects(sets.test, model.sizes, chooser, threads));
  };
  if (o.visible.empty()) look({});
  for (index_t const number : o.visible) look(number);
  std::cout << found.front().images << " test images of " << sets.name
            << " with objects; patches that --mask " << pretrain::name(o.settings.mask)
            << " shows, of " << model.sizes.num_patches()
            << "; the objects' share, and times chance [95 %]\n"
            << to_table(found);
  if (o.out.empty()) return;
  auto const file = std::filesystem::path(o.out) / "objects.csv";
  pretrain::save_text(file, to_csv(found));
  std::cout << "wrote " << mae::printable(file.string()) << '\n';
}

void run(tools::probe_options const& o) {
  if (!o.out.empty()) std::filesystem::create_directories(o.out);
  if (o.visible_objects) return run_objects(o);
  auto const model = tools::read_model(o, std::cerr);
  tools::require_patches(o.visible, model);
  auto const blocks = blocks_of(o.layers, model.sizes.encoder.depth);
  auto const threads = std::make_shared<mae::thread_pool>(o.settings.threads);
  tools::feature_encoder const encoder(model, threads, o.precision);
  auto const source = tools::find_source(o);
  auto const sets = pretrain::load_images(
      source, tools::request_for(o, model, source, true), *threads, std::cerr);
  pretrain::require_classes(sets);
  auto size = pretrain::size_of_grading(sets, o.settings.probe_images);
  if (o.folds > 0) size.test = 0;
  index_t const read = o.folds > 0 ? size.train - mae::ceil_div(size.train, o.folds) : size.train;
  probe_task task{
      o, encoder, sets, size, neighbours_of(o, read), mae::eigen_backend<float>(threads)};
  tools::probe_report report{.neighbours = task.neighbours, .folds = o.folds};
  if (o.visible.empty())
    for (index_t block = blocks.first; block <= blocks.last; ++block)
      report.layers.push_back({.layer = block});
  if (!o.visible.empty())
    read_visible(task, model, blocks, report);
  else if (o.has_linear() || o.has_knn())
    read_features(task, report.layers);
  if (o.has_attentive()) read_tokens(task, report.layers);
  if (o.has_linear() && o.folds == 0 && pretrain::can_grade_pixels(sets))
    report.pixels = pretrain::grade_pixels(sets, size, threads).linear;
  std::cout << size.train << " training "
            << (o.folds > 0 ? "images in " + std::to_string(o.folds) + " folds, no test images"
                            : "and " + std::to_string(size.test) + " test images")
            << " of " << sets.name << ", " << sets.train.num_classes() << " classes";
  if (o.has_linear() || o.has_knn())
    std::cout << "; features: " << pretrain::word_of(tools::pooling_words, o.pool) << ", "
              << encoder.width(o.pool) << " values";
  if (o.has_attentive())
    std::cout << "; " << encoder.patches() << " patch tokens of " << encoder.token_width()
              << " values, " << o.queries << " queries";
  if (o.precision != tools::feature_precision::fp32)
    std::cout << "; encoded in " << pretrain::word_of(tools::feature_precision_words, o.precision);
  std::cout << "; top-1\n" << to_table(report, encoder.depth());
  if (!o.out.empty()) save(task, report);
}

constexpr char const* introduction =
    "Reads classes off a masked autoencoder's frozen features: how good is its encoder?\n"
    "Usage: mae_probe --model FILE|DIR --data DIR|synthetic [--probe-images 10000]\n";

}  // namespace

int main(int argc, char** argv) {
  return pretrain::run_program(
      "mae_probe", "fewer --probe-images need less", [&](char const* name) {
        tools::probe_options options;
        pretrain::run_or_explain(
            name, argc, argv, introduction, tools::flags_for(options), [&](auto const& given) {
              tools::check_combinations(given, options);
              run(options);
            });
      });
}
