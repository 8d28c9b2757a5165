#include "probe_flags.hpp"

#include "feature_flags.hpp"
#include "flag_values.hpp"
#include "mask_flags.hpp"
#include "options.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace tools {
namespace {

constexpr std::uint64_t most_queries = 1024;
constexpr std::uint64_t most_folds = 100;
constexpr pretrain::choice_words<reader_choice, 5> reader_words{
    {{"knn", reader_choice::knn},
     {"linear", reader_choice::linear},
     {"attentive", reader_choice::attentive},
     {"both", reader_choice::both},
     {"all", reader_choice::all}}};

/// "1,5,20": whole numbers, each once.
pretrain::reader numbers_of_neighbours(std::vector<mae::index_t>& numbers) {
  return [&numbers](std::string const& text) {
    for (std::size_t begin = 0; begin <= text.size();) {
      std::size_t const end = std::min(text.find(',', begin), text.size());
      auto const number = static_cast<mae::index_t>(
          pretrain::checked_whole(text.substr(begin, end - begin), 1, pretrain::a_billion));
      if (std::ranges::find(numbers, number) != numbers.end())
        throw pretrain::usage_error("has " + std::to_string(number) + " twice");
      numbers.push_back(number);
      begin = end + 1;
    }
  };
}

/// "4,8,16": whole numbers that rise.
pretrain::reader rising_numbers(std::vector<mae::index_t>& numbers) {
  return [&numbers](std::string const& text) {
    numbers.clear();
    for (std::size_t begin = 0; begin <= text.size();) {
      std::size_t const end = std::min(text.find(',', begin), text.size());
      auto const number = static_cast<mae::index_t>(
          pretrain::checked_whole(text.substr(begin, end - begin), 1, pretrain::a_billion));
      if (!numbers.empty() && number <= numbers.back())
        throw pretrain::usage_error("must rise, and " + std::to_string(number) + " follows " +
                                    std::to_string(numbers.back()));
      numbers.push_back(number);
      begin = end + 1;
    }
  };
}

pretrain::reader layer(layer_choice& layers) {
  return [&layers](std::string const& text) {
    layers.all = text == "all";
    if (!layers.all)
      layers.block =
          static_cast<mae::index_t>(pretrain::checked_whole(text, 1, pretrain::a_billion));
  };
}

/// --visible, --visible-objects, and what chooses the patches.
std::vector<pretrain::flag> visible_flags(probe_options& o) {
  std::vector<pretrain::flag> flags{
      {"visible",
       "N,N,...",
       "encode N patches of each image, those that --mask shows: a line for each\n"
       "number, which must rise [all]",
       rising_numbers(o.visible)},
      {"visible-objects",
       "",
       "read nothing: how much of the objects in test images is visible, against\n"
       "chance, by the masks of DIR/masks or DIR/labels (docs/labels.md), or of\n"
       "the synthetic images",
       pretrain::set(o.visible_objects)},
      {"split",
       "FILE.csv",
       "visible-objects: which pictures are to train on and to test on: columns\n"
       "image and part [the last fifth in the order of names are tests]",
       pretrain::words(o.split)},
      seed_flag(o)};
  for (auto& mask : pretrain::mask_flags(o.settings, pretrain::mask_use::showing))
    flags.push_back(std::move(mask));
  return flags;
}

/// What --visible and --visible-objects can be given with.
void check_visible(pretrain::given_flags const& given, probe_options const& o) {
  using enum pretrain::mask_choice;
  auto const refuse = [](std::string const& why) { throw pretrain::usage_error(why); };
  bool const counts = !o.visible.empty();
  if (given.contains("split") && !o.visible_objects) refuse("--split needs --visible-objects");
  if (!counts && !o.visible_objects) {
    probe_options unused;
    for (auto const& flag : pretrain::mask_flags(unused.settings, pretrain::mask_use::showing))
      if (given.contains(flag.name.c_str()))
        refuse("--" + std::string(flag.name) + " needs --visible or --visible-objects");
    if (given.contains("seed")) refuse("--seed needs --visible or --visible-objects");
    return;
  }
  pretrain::check_mask(given, o.settings);
  auto const mask = o.settings.mask;
  if (o.settings.mask_measure == pretrain::density_choice::loss)
    refuse("--mask-measure loss is known of the images of a training alone");
  if (counts && given.contains("mask-ratio"))
    refuse("--mask-ratio has no meaning beside --visible, which says how many patches are seen");
  if (counts && (mask == ramped || mask == random || mask == file || mask == levels))
    refuse("--mask " + std::string(pretrain::name(mask)) +
           " says itself how many patches are seen, as --visible does");
  if (counts && o.layers.all)
    refuse("--visible draws a curve of one block: --layer all draws another");
  if (counts && o.has_attentive() && !o.visible_objects)
    refuse(
        "--visible has no meaning with --probe attentive or all: give --probe knn, linear or both");
  if (!o.visible_objects) return;
  if (given.contains("test-part"))
    refuse("--test-part has no meaning with --visible-objects: --split says which are tests");
  for (char const* const flag : {"probe",
                                 "knn",
                                 "pool",
                                 "queries",
                                 "token-memory",
                                 "layer",
                                 "precision",
                                 "probe-images",
                                 "folds"})
    if (given.contains(flag))
      refuse("--" + std::string(flag) +
             " has no meaning with --visible-objects, which reads "
             "no features");
}

}  // namespace

std::vector<pretrain::flag_group> flags_for(probe_options& o) {
  return {
      {"Flags",
       {model_flag(o),
        data_flag(o),
        unreadable_flag(o),
        pretrain::max_pixels_flag(o.settings),
        pretrain::test_flag(o.settings.tests),
        pooling_flag(o.pool),
        feature_precision_flag(o.precision),
        pretrain::choice("probe",
                         reader_words,
                         o.readers,
                         "how: by nearest neighbours, by a linear classifier, by one whose\n"
                         "queries learn which patches to look at, by the first two, or all"),
        {"knn",
         "K,K,...",
         "how many nearest neighbours vote, each with exp(similarity / 0.07);\n"
         "of several numbers each has a column of its own [20]",
         numbers_of_neighbours(o.neighbours)},
        {"queries",
         "N",
         pretrain::with_default("of the attentive classifier: so many places are looked at",
                                static_cast<double>(o.queries)),
         pretrain::whole(o.queries, 1, most_queries)},
        {"token-memory",
         "GB",
         pretrain::with_default("memory for the patch tokens that the attentive classifier reads;\n"
                                "where all images need more it reads the first, and says so",
                                o.token_gigabytes),
         pretrain::positive(o.token_gigabytes)},
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
        {"folds",
         "N",
         "leave the test images alone, as tuning should: each Nth of the training\n"
         "images is graded by what has read the others; 0: off [0]",
         pretrain::whole(o.folds, 0, most_folds)},
        {"out",
         "DIR",
         "also write layers.csv there: a line for each block that is read, a\n"
         "column for each way of reading, in percent of what is graded;\n"
         "report.html, a page that shows them; with --layer all also layers.svg,\n"
         "their curves; with --visible instead visible.csv, .json and .svg; with\n"
         "--visible-objects objects.csv",
         pretrain::words(o.out)},
        threads_flag(o)}},
      {"Some patches of images", visible_flags(o)},
      known_group(o)};
}

void check_combinations(pretrain::given_flags const& given, probe_options const& o) {
  auto const need = [&](char const* flag, bool is_used, char const* otherwise) {
    if (given.contains(flag) && !is_used)
      throw pretrain::usage_error("--" + std::string(flag) + " has no meaning with --probe " +
                                  std::string(pretrain::word_of(reader_words, o.readers)) +
                                  ": give --probe " + otherwise);
  };
  need("knn", o.has_knn(), "knn, both or all");
  need("pool", o.has_knn() || o.has_linear(), "all");
  need("queries", o.has_attentive(), "attentive or all");
  need("token-memory", o.has_attentive(), "attentive or all");
  if (o.folds == 1) throw pretrain::usage_error("--folds takes 2 or more, or 0");
  if (o.folds > 0 && o.has_attentive())
    throw pretrain::usage_error("--folds has no meaning with --probe " +
                                std::string(pretrain::word_of(reader_words, o.readers)) +
                                ": give --probe knn, linear or both");
  if (o.folds > 0 && given.contains("test-part"))
    throw pretrain::usage_error(
        "--test-part has no meaning with --folds, which grades training images");
  check_visible(given, o);
}

}  // namespace tools
