// Grades a checkpoint's encoder with labels: a linear probe and nearest neighbours.

#include "assumed.hpp"
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
#include <mae/eval/linear_probe.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace {

using mae::index_t;

enum class reader_choice { knn, linear, both };
constexpr pretrain::choice_words<reader_choice, 3> reader_words{{{"knn", reader_choice::knn},
                                                                 {"linear", reader_choice::linear},
                                                                 {"both", reader_choice::both}}};

struct probe_options : tools::common_options {
  mae::pooling pool = mae::pooling::mean;
  reader_choice readers = reader_choice::both;
  std::vector<index_t> neighbours;  // empty: the library's own number, if there are so many images
  std::string out;

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
            {"probe-images",
             "N",
             "grade on the first N training images and as many test images in\n"
             "proportion; 0: on all [0]",
             pretrain::whole(o.settings.probe_images, 0, pretrain::a_billion)},
            {"out",
             "DIR",
             "also write layers.csv there: a line for each layer, a column for each\n"
             "way of reading, in percent of the test images",
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

/// Images' features and their classes, to be read.
struct probed_features {
  pretrain::graded_features train;
  pretrain::graded_features test;
  index_t classes;
};

tools::layer_scores read_layer(probed_features const& features,
                               probe_options const& o,
                               std::vector<index_t> const& neighbours,
                               mae::eigen_backend<float>& backend) {
  constexpr double percent = 100.0;
  auto const& [train, test, classes] = features;
  tools::layer_scores scores;
  if (o.has_linear())
    scores.linear = percent * mae::linear_probe(backend, train.view(), test.view(), classes).top1;
  if (o.has_knn())
    for (double const share :
         mae::knn_top1(backend, train.view(), test.view(), classes, neighbours))
      scores.knn.push_back(percent * share);
  return scores;
}

void save(std::string const& folder, tools::probe_report const& report) {
  std::filesystem::path const out(folder);
  pretrain::save_text(out / "layers.csv", to_csv(report));
  std::cout << "wrote " << mae::printable((out / "layers.csv").string()) << '\n';
}

void run(probe_options const& o) {
  if (!o.out.empty()) std::filesystem::create_directories(o.out);
  auto const model = tools::read_model(o, std::cerr);
  auto const threads = std::make_shared<mae::thread_pool>(o.settings.threads);
  tools::feature_encoder const encoder(model, threads);
  auto const source = tools::find_source(o);
  auto const sets = pretrain::load_images(
      source, tools::request_for(o, model, source, true), *threads, std::cerr);
  pretrain::require_classes(sets);
  auto const size = pretrain::size_of_grading(sets, o.settings.probe_images);
  tools::probe_report report{.neighbours = neighbours_of(o, size.train)};
  pretrain::progress_line progress(
      std::cout, pretrain::style_for(1, false), pretrain::terminal_width(1));
  auto const features =
      [&](pretrain::image_set const& images, index_t count, std::string const& name) {
        std::cout << "encoding " << count << " of " << mae::printable(name) << std::endl;
        auto const name_of = [&](index_t i) {
          return "image " + std::to_string(i) + " (from 0) of " + name;
        };
        return pretrain::with_labels(
            encoder.encode(images, count, o.pool, name_of, progress), images, count);
      };
  probed_features const found{features(sets.train, size.train, sets.train_name),
                              features(sets.test, size.test, sets.test_name),
                              sets.train.num_classes()};
  mae::eigen_backend<float> backend(threads);
  index_t const depth = model.sizes.encoder.depth;
  report.layers.push_back(read_layer(found, o, report.neighbours, backend));
  report.layers.back().layer = depth;
  if (o.has_linear() && pretrain::can_grade_pixels(sets))
    report.pixels = pretrain::grade_pixels(sets, size, threads).linear;
  std::cout << size.train << " training and " << size.test << " test images of " << sets.name
            << ", " << found.classes
            << " classes; features: " << pretrain::word_of(tools::pooling_words, o.pool) << ", "
            << encoder.width(o.pool) << " values; top-1\n"
            << to_table(report, depth);
  if (!o.out.empty()) save(o.out, report);
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
