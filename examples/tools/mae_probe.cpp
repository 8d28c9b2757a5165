// Grades a checkpoint's encoder with labels: a linear probe and nearest neighbours.

#include "feature_encoder.hpp"
#include "feature_flags.hpp"
#include "grading.hpp"
#include "images.hpp"
#include "program.hpp"
#include "terminal.hpp"

#include <mae/core/text.hpp>
#include <mae/core/types.hpp>

#include <iomanip>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace {

using mae::index_t;

struct probe_options : tools::common_options {
  mae::pooling pool = mae::pooling::mean;
};

std::vector<pretrain::flag_group> flags_for(probe_options& o) {
  return {{"Flags",
           {tools::model_flag(o),
            tools::data_flag(o),
            tools::unreadable_flag(o),
            pretrain::max_pixels_flag(o.settings),
            pretrain::test_flag(o.settings.tests),
            tools::pooling_flag(o.pool),
            pretrain::choice("probe",
                             pretrain::probe_words,
                             o.settings.probe,
                             "how: by nearest neighbours, by a linear classifier, or by both"),
            {"probe-images",
             "N",
             "grade on the first N training images and as many test images in\n"
             "proportion; 0: on all [0]",
             pretrain::whole(o.settings.probe_images, 0, pretrain::a_billion)},
            tools::threads_flag(o)}},
          tools::known_group(o)};
}

std::string cell(std::optional<double> const& percent) {
  if (!percent) return "-";
  std::ostringstream text;
  text << std::fixed << std::setprecision(1) << *percent << " %";
  return std::move(text).str();
}

void print_row(std::string const& what, std::string const& linear, std::string const& knn) {
  constexpr int first = 28;
  constexpr int other = 22;
  std::cout << std::left << std::setw(first) << what << std::right << std::setw(other) << linear
            << std::setw(other) << knn << '\n';
}

void run(probe_options const& o) {
  auto const model = tools::read_model(o, std::cerr);
  auto const threads = std::make_shared<mae::thread_pool>(o.settings.threads);
  tools::feature_encoder const encoder(model, threads);
  auto const source = tools::find_source(o);
  auto const sets = pretrain::load_images(
      source, tools::request_for(o, model, source, true), *threads, std::cerr);
  pretrain::require_classes(sets);
  index_t const classes = sets.train.num_classes();
  auto const size = pretrain::size_of_grading(sets, o.settings.probe_images);
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
  auto const scores = pretrain::grade_features(features(sets.train, size.train, sets.train_name),
                                               features(sets.test, size.test, sets.test_name),
                                               classes,
                                               o.settings.probe,
                                               threads);
  std::cout << size.train << " training and " << size.test << " test images of " << sets.name
            << ", " << classes
            << " classes; features: " << pretrain::word_of(tools::pooling_words, o.pool) << ", "
            << encoder.width(o.pool) << " values; top-1\n";
  print_row("", "linear probe", "nearest neighbours");
  if (scores.linear && pretrain::can_grade_pixels(sets))
    print_row("raw pixels", cell(pretrain::grade_pixels(sets, size, threads).linear), "");
  print_row("the encoder", cell(scores.linear), cell(scores.knn));
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
            name, argc, argv, introduction, flags_for(options), [&](auto const& /*given*/) {
              run(options);
            });
      });
}
