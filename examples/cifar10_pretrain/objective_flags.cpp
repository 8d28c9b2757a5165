#include "objective_flags.hpp"

#include "flag_values.hpp"

#include <array>
#include <string>
#include <utility>

namespace pretrain {

namespace {

mae::average_options momentum_of(std::string const& text) {
  auto const checked = [](std::string const& one) {
    return checked_number(
        one, "a number from 0 to below 1", [](double m) { return m >= 0 && m < 1; });
  };
  auto const comma = text.find(',');
  mae::average_options made{.momentum = checked(text.substr(0, comma))};
  if (comma != std::string::npos) made.last_momentum = checked(text.substr(comma + 1));
  return made;
}

void check_perceptual(given_flags const& given, options const& o) {
  if (given.contains("perceptual-block") && o.perceptual == 0)
    throw usage_error("--perceptual-block needs --perceptual");
  if (o.perceptual == 0) return;
  if (given.contains("objective") && o.objective != objective_choice::normalised &&
      o.objective != objective_choice::pixels)
    throw usage_error("--perceptual compares pictures, and --objective " +
                      std::string(name(o.objective)) +
                      " paints none: give --objective normalised or pixels");
  if (o.teacher.empty() || o.teacher == options::moving_average)
    throw usage_error(
        "--perceptual needs --teacher FILE, the checkpoint of an encoder that stays as it is");
  if (o.visible_loss > 0)
    throw usage_error(
        "--perceptual shows visible patches as they are, and --visible-loss paints them: leave one "
        "of the two");
  if (o.painted_views > 0)
    throw usage_error(
        "--perceptual compares every view with what is painted of it, and --paint-views paints "
        "some: leave one of the two");
  if (o.backend != backend_choice::eigen)
    throw usage_error("--perceptual is trained on the processor: leave --backend " +
                      std::string(name(o.backend)));
}

}  // namespace

std::vector<flag> objective_flags(options& o) {
  constexpr std::uint64_t most_bins = 180;
  constexpr std::uint64_t most_patches = 10'000'000;
  return {
      choice("objective",
             objective_words,
             o.objective,
             "what is predicted of each hidden patch (docs/objectives.md). normalised:\n"
             "its pixels, by the patch's own mean and variance; pixels: as they are\n"
             "(base16); hog: where its edges point; fourier: how strong its\n"
             "frequencies are; principal: its principal components but the first;\n"
             "teacher: what an encoder that sees the whole image makes of it\n"),
      {"hog-cell",
       "PIXELS",
       "hog: the side of a cell, which divides the patch's [the largest up to\n"
       "8 that does]",
       whole(o.hog_cell, 1, a_billion)},
      {"hog-bins",
       "N",
       with_default("hog: directions between 0 and 180 degrees", static_cast<double>(o.hog_bins)),
       whole(o.hog_bins, 2, most_bins)},
      choice("hog-form",
             hog_form_words,
             o.hog_form,
             "hog: MaskFeat's (Sobel's gradients, a window over each patch), or\n"
             "plain, as scikit-image's"),
      {"principal-drop",
       "N",
       "principal: how many of the first components are left out [as many as\n"
       "an image has channels]",
       whole(o.principal_drop, 0, a_billion)},
      {"principal-patches",
       "N",
       with_default("principal: training patches, drawn by the seed, to fit them on",
                    std::to_string(o.principal_patches)),
       whole(o.principal_patches, 2, most_patches)},
      {"teacher",
       "ema|FILE",
       "teacher: ema, the moving average of the model that learns; or, also for\n"
       "--perceptual, the checkpoint of another encoder of the same patches, or\n"
       "its folder (whatever mae_convert reads)",
       [&o](std::string const& path) { o.teacher = path; }},
      {"teacher-momentum",
       "M[,LAST]",
       with_default("teacher ema, moving keys: how slowly it moves, M * average + (1 - M) *\n"
                    "values after each step; with LAST from M to there by the end",
                    o.teacher_momentum.momentum),
       [&o](std::string const& text) { o.teacher_momentum = momentum_of(text); }},
      {"teacher-blocks",
       "K",
       with_default("teacher: the mean of the tokens after its last K blocks",
                    std::to_string(o.teacher_blocks)),
       whole(o.teacher_blocks, 1, a_billion)},
      {"perceptual",
       "WEIGHT",
       with_default("beside painting pixels, bring what is painted near the true picture as\n"
                    "the frozen encoder of --teacher FILE sees both; 0: off",
                    o.perceptual),
       not_negative(o.perceptual)},
      {"perceptual-block",
       "K",
       "of --perceptual: compare tokens after block K of that encoder [its last]",
       whole(o.perceptual_block, 1, a_billion)}};
}

void check_objective(given_flags const& given, options const& o) {
  constexpr std::array<std::pair<char const*, objective_choice>, 6> belongings{
      {{"hog-cell", objective_choice::hog},
       {"hog-bins", objective_choice::hog},
       {"hog-form", objective_choice::hog},
       {"principal-drop", objective_choice::principal},
       {"principal-patches", objective_choice::principal},
       {"teacher-blocks", objective_choice::teacher}}};
  for (auto const& [flag, objective] : belongings)
    if (given.contains(flag) && o.objective != objective)
      throw usage_error(std::string("--") + flag + " needs --objective " +
                        std::string(name(objective)));
  if (given.contains("teacher") && o.objective != objective_choice::teacher && o.perceptual == 0)
    throw usage_error("--teacher needs --objective teacher, or --perceptual");
  if (o.objective == objective_choice::teacher && o.teacher.empty())
    throw usage_error(
        "--objective teacher needs --teacher ema, or --teacher FILE, the checkpoint of one");
  check_perceptual(given, o);
  if (given.contains("teacher-momentum") && !o.keeps_average())
    throw usage_error(o.objective == objective_choice::teacher
                          ? "--teacher-momentum needs --teacher ema: a checkpoint stays as it is"
                          : "--teacher-momentum needs --objective teacher with --teacher ema, or "
                            "--contrast-keys moving");
}

}  // namespace pretrain
