#include "recipe_flags.hpp"

#include "flag_values.hpp"

#include <mae/core/error.hpp>

#include <string>
#include <utility>
#include <vector>

namespace tools {

namespace {

constexpr pretrain::choice_words<kept_epoch, 2> kept_words{
    {{"last", kept_epoch::last}, {"best", kept_epoch::best}}};

constexpr pretrain::choice_words<finetune_precision, 2> precision_words{
    {{"fp32", finetune_precision::fp32}, {"bf16", finetune_precision::bf16}}};

template <class Field>
pretrain::reader chance(Field& field) {
  return pretrain::number(
      field, "a number from 0, below 1", [](double value) { return value >= 0 && value < 1; });
}

void read_frozen(std::string const& text, mae::index_t& frozen) {
  if (text == "none")
    frozen = 0;
  else if (text == "encoder")
    frozen = mae::whole_encoder;
  else
    frozen = static_cast<mae::index_t>(pretrain::checked_whole(text, 0, pretrain::a_billion)) + 1;
}

/// What makes images vary.
std::vector<pretrain::flag> variation_flags(recipe_options& o) {
  return {
      {"drop-path",
       "X",
       pretrain::with_default("the share of the last block's branches that are left out, rising\n"
                              "to it from 0",
                              o.drop_path),
       chance(o.drop_path)},
      {"mixup",
       "A",
       pretrain::with_default("blend images in pairs, by shares of Beta(A, A); He et al. 0.8",
                              o.mixup),
       pretrain::not_negative(o.mixup)},
      {"cutmix",
       "A",
       pretrain::with_default("paste boxes of one into the other; with --mixup each batch has\n"
                              "one of both; He et al. 1",
                              o.cutmix),
       pretrain::not_negative(o.cutmix)},
      {"erasing",
       "X",
       pretrain::with_default("with this chance a box of an image is noise; He et al. 0.25",
                              o.erasing),
       chance(o.erasing)},
      {"randaugment",
       "M",
       pretrain::with_default("two changes an image, of nine, by magnitude M of 10: turned,\n"
                              "sheared, shifted, brighter, ...; He et al. 9",
                              o.randaugment),
       pretrain::number(o.randaugment, "a number from 0 to 10", [](double value) {
         return value >= 0 && value <= 10;
       })}};
}

/// What is trained, and how long.
std::vector<pretrain::flag> training_flags(recipe_options& o) {
  return {{"positions",
           "sincos|learned",
           pretrain::with_default("whether the table of positions stays as it is or is learned",
                                  "sincos"),
           [&o](std::string const& text) {
             if (text != "sincos" && text != "learned")
               throw pretrain::usage_error("'" + text + "' is not one of sincos, learned");
             o.positions =
                 text == "learned" ? mae::position_table::learned : mae::position_table::sincos;
           }},
          {"freeze",
           "none|encoder|N",
           "leave the encoder as it is, or what embeds patches and its first N blocks\n"
           "[none]",
           [&o](std::string const& text) { read_frozen(text, o.frozen); }},
          {"min-lr",
           "X",
           pretrain::with_default("the learning rate of the end, of the last layers", o.min_lr),
           pretrain::not_negative(o.min_lr)},
          {"average",
           "X",
           "leave and grade an average of the weights, X times itself and 1 - X times the\n"
           "weights after each step; they are graded beside it (raw_...) [none]",
           chance(o.average)},
          {"evaluate-every",
           "N",
           pretrain::with_default("epochs between two gradings; the last is graded too",
                                  static_cast<double>(o.evaluate_every)),
           pretrain::whole(o.evaluate_every, 1, pretrain::a_billion)},
          {"patience",
           "N",
           "end when N epochs brought nothing better [never]",
           pretrain::whole(o.patience, 1, pretrain::a_billion)},
          pretrain::choice("precision",
                           precision_words,
                           o.precision,
                           "of products; bf16 needs a processor that multiplies it to be fast"),
          pretrain::choice("keep",
                           kept_words,
                           o.keep,
                           "the model of the last epoch, or of the graded one that is best on the\n"
                           "test images, whose figures are then a choice among many")};
}

}  // namespace

mae::training_options recipe_options::applied(mae::training_options options) const {
  options.drop_path = drop_path;
  options.mix = {.mixup = mixup, .cutmix = cutmix};
  options.erasing = erasing;
  options.changes.magnitude = randaugment;
  options.min_lr = min_lr;
  options.groups.frozen = frozen;
  return options;
}

pretrain::flag_group recipe_group(recipe_options& recipe) {
  auto flags = variation_flags(recipe);
  for (auto& flag : training_flags(recipe)) flags.push_back(std::move(flag));
  return {"What keeps it from learning images by heart (docs/finetuning.md)", std::move(flags)};
}

void require_blocks(recipe_options const& recipe, mae::index_t depth) {
  if (recipe.frozen != mae::whole_encoder && recipe.frozen > depth + 1)
    throw mae::config_error("--freeze " + std::to_string(recipe.frozen - 1) +
                            ": the encoder has only " + std::to_string(depth) +
                            " blocks; --freeze encoder leaves all of it as it is");
}

}  // namespace tools
