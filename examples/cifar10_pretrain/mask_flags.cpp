#include "mask_flags.hpp"

#include "flag_values.hpp"

#include <mae/core/types.hpp>
#include <mae/mask/patch_levels.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pretrain {
namespace {

constexpr char const* descriptions =
    "which patches are hidden. uniform: a fixed share, blindly; ramped:\n"
    "the share moves from --mask-from to --mask-to over the training;\n"
    "random: each image draws its share between the two; saliency:\n"
    "busy patches stay visible more often, busy images keep more;\n"
    "block: rectangles; grid: all but patches at even distances; column:\n"
    "whole columns; file: what --mask-file says; density: less of dense\n"
    "images, --mask-ratio on average over the training set; levels: a\n"
    "share of each level of density; learned: what a small network has\n"
    "learned to find hard to paint; sampling: the visible ones are drawn\n"
    "from a distribution that a small network learns; gate: by gates that\n"
    "learn from the training's own gradient; none: nothing, where --noise\n"
    "spoils what is seen";

void read_ramp(std::string const& text, options& o) {
  constexpr char const* what = "two parts of the training, 0 to 1, as 0.85,1";
  auto const is_share = [](double value) { return value >= 0 && value <= 1; };
  auto const comma = std::min(text.find(','), text.size());
  o.ramp_begins = checked_number(text.substr(0, comma), what, is_share);
  o.ramp_ends = checked_number(text.substr(std::min(comma + 1, text.size())), what, is_share);
  if (o.ramp_ends < o.ramp_begins) throw usage_error(std::string("must be ") + what);
}

constexpr char const* levels_form =
    "shares of levels at the beginning and, behind a colon, at the end, as "
    "0.9,0.75,0.6:0.6,0.75,0.9";

std::vector<double> shares_of(std::string const& text) {
  std::vector<double> shares;
  for (std::size_t i = 0; i <= text.size();) {
    auto const end = std::min(text.find(',', i), text.size());
    shares.push_back(checked_number(text.substr(i, end - i), levels_form, [](double value) {
      return value >= 0 && value <= 1;
    }));
    i = end + 1;
  }
  return shares;
}

void read_levels(std::string const& text, options& o) {
  auto const colon = text.find(':');
  o.levels_from = shares_of(text.substr(0, colon));
  o.levels_to = colon == std::string::npos ? o.levels_from : shares_of(text.substr(colon + 1));
  if (o.levels_from.size() < 2 || o.levels_from.size() != o.levels_to.size())
    throw usage_error(std::string("must be as many ") + levels_form + ", two levels at least");
}

flag hard_flag(options& o) {
  return {"mask-hard",
          list_of(hard_words, "|"),
          "learned, sampling, gate: what is to become of patches that are hard to\n"
          "paint [learned: hidden, the others: shown]",
          [&o](std::string const& text) {
            for (auto const& [word, value] : hard_words)
              if (word == text) {
                o.mask_hard = value;
                return;
              }
            throw usage_error("'" + text + "' is not one of " + list_of(hard_words, ", "));
          }};
}

/// The flags of masks by what images hold.
void add_adaptive_flags(options& o, std::vector<flag>& flags) {
  flags.push_back(choice("mask-measure",
                         density_words,
                         o.mask_measure,
                         "density, levels: by what a patch is dense: variance of its pixels,\n"
                         "their differences from neighbours, or entropy of their brightness;\n"
                         "density in trainings: loss, the norm of its gradient in each image's\n"
                         "patches, as a moving average over the epochs\n"));
  flags.push_back({"mask-swing",
                   "SHARE",
                   with_default("density: by how much less the densest image hides than the\n"
                                "average; below 0 it hides more",
                                o.mask_swing),
                   number(o.mask_swing, "a number between -0.5 and 0.5", [](double value) {
                     return std::abs(value) < 0.5;
                   })});
  flags.push_back({"mask-levels",
                   "SHARES",
                   "levels: hidden shares of levels, the plainest first, and what they\n"
                   "move to [0.9,0.75,0.6:0.6,0.75,0.9]",
                   [&o](std::string const& text) { read_levels(text, o); }});
  flags.push_back({"mask-decided",
                   "SHARE",
                   with_default("learned: the share that the network decides at the end; it\n"
                                "rises from 0",
                                o.mask_decided),
                   number(o.mask_decided, "a number from 0 to 1", [](double value) {
                     return value >= 0 && value <= 1;
                   })});
  flags.push_back(hard_flag(o));
}

void add_density_token_flags(options& o, std::vector<flag>& flags) {
  flags.push_back(
      {"density-token",
       "N",
       with_default("tell tokens which of N levels of density (--mask-measure) their patch\n"
                    "has among the training set's, by a learned vector; 0: none",
                    static_cast<double>(o.density_token)),
       whole(o.density_token, 0, mae::most_levels)});
  flags.push_back(choice("density-token-at",
                         told_token_words,
                         o.density_token_at,
                         "which tokens. A mask token that is told gives away something of the\n"
                         "patch to be painted: losses are then no measure (docs/masks.md)\n"));
}

void add_training_flags(options& o, std::vector<flag>& flags) {
  add_density_token_flags(o, flags);
  flags.push_back(
      choice("mask-budget",
             mask_budget_words,
             o.mask_budget,
             "density: over what --mask-ratio is met: on average over the training\n"
             "set, or exactly in every batch, whose images then depend on each other\n"));
  flags.push_back(choice(
      "mask-period", mask_period_words, o.mask_period, "levels: over what their shares move"));
  flags.push_back({"mask-over",
                   "P,Q",
                   "ramped: the parts of the training between which the share moves [0,1]",
                   [&o](std::string const& text) { read_ramp(text, o); }});
  flags.push_back({"mask-entropy",
                   "W",
                   with_default("sampling, gate: the weight of their entropy", o.mask_entropy),
                   not_negative(o.mask_entropy)});
  flags.push_back(choice("mask-targets",
                         target_weight_words,
                         o.mask_targets,
                         "gate: whether targets count by how far their gates are closed"));
  flags.push_back(
      {"mask-lr",
       "LR",
       with_default("learned, sampling, gate: the network's own learning rate", o.mask_lr),
       positive(o.mask_lr)});
}

bool is_one_of(mask_choice mask, std::initializer_list<mask_choice> choices) {
  return std::find(choices.begin(), choices.end(), mask) != choices.end();
}

/// Flags that some masks alone have, and which.
void check_belongings(given_flags const& given, mask_choice mask, bool measures_anyway) {
  using enum mask_choice;
  struct belonging {
    char const* flag;
    std::initializer_list<mask_choice> masks;
  };
  auto const all = std::to_array<belonging>({{"mask-from", {ramped, random}},
                                             {"mask-to", {ramped, random}},
                                             {"mask-over", {ramped}},
                                             {"saliency-strength", {saliency}},
                                             {"mask-file", {file}},
                                             {"mask-measure", {density, levels}},
                                             {"mask-swing", {density}},
                                             {"mask-budget", {density}},
                                             {"mask-levels", {levels}},
                                             {"mask-period", {levels}},
                                             {"mask-decided", {learned}},
                                             {"mask-hard", {learned, sampling, gate}},
                                             {"mask-entropy", {sampling, gate}},
                                             {"mask-targets", {gate}},
                                             {"mask-lr", {learned, sampling, gate}}});
  for (auto const& [flag, masks] : all) {
    if (!given.contains(flag) || is_one_of(mask, masks)) continue;
    if (measures_anyway && flag == std::string_view("mask-measure")) continue;
    std::string needed;
    for (auto const one : masks) {
      if (!needed.empty()) needed += " or ";
      needed += "--mask ";
      needed += name(one);
    }
    throw usage_error("--" + std::string(flag) + " needs " + needed);
  }
}

/// Where --mask-ratio says nothing, what does; and what needs no mask.
void check_ratio(given_flags const& given, options const& o) {
  using enum mask_choice;
  constexpr choice_words<mask_choice, 5> instead{{{"give --mask-from and --mask-to", ramped},
                                                  {"give --mask-from and --mask-to", random},
                                                  {"the file says what is hidden", file},
                                                  {"give --mask-levels", levels},
                                                  {"nothing is hidden", none}}};
  auto const said = word_of(instead, o.mask);
  if (given.contains("mask-ratio") && !said.empty())
    throw usage_error("--mask-ratio has no meaning with --mask " + std::string(name(o.mask)) +
                      ": " + std::string(said));
  if (o.mask == none && !o.noise.is_on())
    throw usage_error(
        "--mask none hides nothing, and there is nothing to paint but what the --noise of a "
        "training spoils");
}

/// Its words are those of the description, more than a line holds.
flag mask_flag(options& o) {
  auto chosen = choice("mask", mask_words, o.mask, descriptions);
  chosen.unit = "MASK";
  return chosen;
}

void check_density_token(given_flags const& given, options const& o) {
  if (given.contains("density-token-at") && o.density_token == 0)
    throw usage_error("--density-token-at needs --density-token N");
  if (o.density_token == 0) return;
  if (o.density_token == 1)
    throw usage_error("--density-token 1 tells nothing: give two levels or more, or 0 for none");
  if (o.mask_measure == density_choice::loss)
    throw usage_error(
        "--mask-measure loss tells of images, not of their patches: --density-token needs another");
  if (o.decoder == decoder_choice::cross && o.density_token_at != mae::told_tokens::visible)
    throw usage_error(
        "--decoder cross has no mask tokens that can be told levels: leave --density-token-at " +
        std::string(name(o.density_token_at)));
  if (o.noise.is_on())
    throw usage_error(
        "--noise would raise the density of what --density-token tells: give one of the two");
  if (o.follows_student())
    throw usage_error(
        "a teacher that follows its student tells its tokens no levels: --density-token needs "
        "another --teacher or --objective");
}

}  // namespace

std::vector<flag> mask_flags(options& o, mask_use use) {
  bool const trains = use == mask_use::training;
  std::vector<flag> flags = {
      mask_flag(o),
      {"mask-ratio",
       "SHARE",
       with_default("share of the patches that is hidden, between 0 and 1; saliency: the\n"
                    "share of an average image",
                    o.mask_ratio),
       mask_share(o.mask_ratio)},
      {"mask-from",
       "SHARE",
       with_default("ramped: first share; random: least share", o.mask_from),
       mask_share(o.mask_from)},
      {"mask-to",
       "SHARE",
       with_default("ramped: last share; random: greatest share", o.mask_to),
       mask_share(o.mask_to)},
      {"saliency-strength",
       "BETA",
       with_default("saliency: 0 is blind, above 0 shows busy patches, below 0 hides\n"
                    "them",
                    o.saliency_strength),
       number(o.saliency_strength,
              "a number from -10 to 10",
              [](double value) { return std::abs(value) <= 10; })},
      {"mask-file",
       "FILE",
       "file: masks of numpy.save, bool or uint8, (patches) for all images or\n"
       "(images, patches); 1 is hidden",
       words(o.mask_file)}};
  add_adaptive_flags(o, flags);
  if (trains)
    add_training_flags(o, flags);
  else
    flags.push_back({"mask-at",
                     "P",
                     with_default("the part of the training at which the mask is shown, where it\n"
                                  "moves with it",
                                  o.mask_at),
                     number(o.mask_at, "a number from 0 to 1", [](double value) {
                       return value >= 0 && value <= 1;
                     })});
  return flags;
}

void check_mask(given_flags const& given, options const& o) {
  using enum mask_choice;
  check_belongings(given, o.mask, o.density_token > 0);
  check_density_token(given, o);
  check_ratio(given, o);
  if (o.mask == saliency && !(o.mask_ratio > 0.1 && o.mask_ratio < 0.9))
    throw usage_error(
        "--mask saliency varies the share by 0.1: --mask-ratio must lie between 0.1 and 0.9");
  double const swing = std::abs(o.mask_swing);
  if (o.mask == density && !(o.mask_ratio - swing > 0 && o.mask_ratio + swing < 1))
    throw usage_error(
        "--mask density: --mask-ratio less and plus --mask-swing must lie between 0 and 1");
  if (o.mask_measure == density_choice::loss && o.mask == levels)
    throw usage_error(
        "--mask-measure loss tells of images, not of their patches: it needs --mask "
        "density");
  if (o.mask_measure == density_choice::loss && o.mask_budget == mask_budget_choice::batch)
    throw usage_error(
        "--mask-budget batch needs a --mask-measure of pixels: what losses say comes "
        "after the masks");
  bool const by_losses = o.mask == density && o.mask_measure == density_choice::loss;
  if (o.visible_loss > 0 && (by_losses || is_one_of(o.mask, {learned, sampling, gate})))
    throw usage_error((by_losses ? std::string("--mask-measure loss")
                                 : std::string("--mask ").append(name(o.mask))) +
                      " learns from the losses of hidden patches, and --visible-loss mixes them "
                      "with visible ones': leave one of the two");
  if (o.mask == random && o.mask_from > o.mask_to)
    throw usage_error("--mask random needs a --mask-from that is not above --mask-to");
  if (o.mask == file && o.mask_file.empty())
    throw usage_error("--mask file needs --mask-file FILE");
}

}  // namespace pretrain
