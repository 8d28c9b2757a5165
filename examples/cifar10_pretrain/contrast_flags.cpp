#include "contrast_flags.hpp"

#include "choices.hpp"
#include "flag_values.hpp"

#include <mae/core/settings.hpp>
#include <mae/data/augment.hpp>
#include <mae/train/options.hpp>

#include <cstdint>
#include <string>
#include <utility>

namespace pretrain {
namespace {

void read_local_crop(std::string const& text, mae::local_crops& local) {
  auto const comma = text.find(',');
  if (comma == std::string::npos) throw usage_error("must be two shares, MIN,MAX, not " + text);
  auto const share = [](std::string const& one) {
    return checked_number(
        one, "a share above 0, at most 1", [](double value) { return value > 0 && value <= 1; });
  };
  local.crop_min = share(text.substr(0, comma));
  local.crop_max = share(text.substr(comma + 1));
  if (local.crop_max < local.crop_min)
    throw usage_error("must have the least share first, not " + text);
}

/// How each image is seen.
std::vector<flag> view_flags(options& o) {
  return {{"views",
           "N",
           "crops and masks of each image in a step; a batch counts images\n"
           "[2 with --contrast or --sigreg, and the local ones, else 1]",
           whole(o.views, 1, static_cast<std::uint64_t>(mae::most_views))},
          {"local-views",
           "N",
           with_default("of these the last N show small parts of the image, as large as the\n"
                        "others (multi-crop)",
                        static_cast<double>(o.local.views)),
           whole(o.local.views, 0, static_cast<std::uint64_t>(mae::most_views - 2))},
          {"local-crop",
           "MIN,MAX",
           with_default(
               "the least and the largest share of the image that they show",
               mae::decimal_text(o.local.crop_min) + ',' + mae::decimal_text(o.local.crop_max)),
           [&o](std::string const& text) { read_local_crop(text, o.local); }},
          {"paint-views",
           "N",
           "paint the first N views of each image, with heads that compare them;\n"
           "the others are encoded alone [all]",
           whole(o.painted_views, 1, static_cast<std::uint64_t>(mae::most_views))}};
}

/// Of which patches a decoder learns.
std::vector<flag> predicted_flags(options& o) {
  return {{"predict-share",
           "S",
           with_default("predict this share of the hidden patches, drawn anew for each\n"
                        "image; the decoder does not see the others",
                        o.predicted_share),
           positive(o.predicted_share)},
          {"visible-loss",
           "W",
           with_default("visible patches are predicted too, and count W of a hidden one in the\n"
                        "gradient; the loss that is shown is that of hidden ones",
                        o.visible_loss),
           not_negative(o.visible_loss)}};
}

/// What contrast asks and answers by.
std::vector<flag> key_flags(options& o) {
  constexpr std::uint64_t most_width = 1U << 20U;
  return {{"contrast-predictor",
           "WIDTH",
           with_default("of --contrast: layers with WIDTH hidden values make questions of what is\n"
                        "compared, and answers have no gradient; 0: none",
                        static_cast<double>(o.predictor)),
           whole(o.predictor, 0, most_width)},
          choice("contrast-keys",
                 key_words,
                 o.keys,
                 "of --contrast: the answers are the model's own, or its moving average's,\n"
                 "and have no gradient then"),
          {"contrast-queue",
           "N",
           with_default("with moving keys: N of earlier steps are answers to avoid too",
                        static_cast<double>(o.queue)),
           whole(o.queue, 0, a_billion)}};
}

}  // namespace

std::vector<flag> contrast_flags(options& o) {
  std::vector<flag> all{
      {"contrast",
       "WEIGHT",
       with_default("beside painting, tell the views of an image from those of others\n"
                    "(InfoNCE), with this weight; 0: paint alone",
                    o.contrast),
       not_negative(o.contrast)},
      {"sigreg",
       "WEIGHT",
       with_default("likewise: bring views together and let images be normally distributed\n"
                    "(LeJEPA), without negatives",
                    o.sigreg),
       not_negative(o.sigreg)},
      {"uniformity",
       "WEIGHT",
       with_default("likewise: spread images' class tokens over the sphere (U-MAE: 0.01)",
                    o.uniformity),
       not_negative(o.uniformity)},
      {"temperature",
       "T",
       with_default("of --contrast: the smaller, the more the nearest others count", o.temperature),
       positive(o.temperature)}};
  for (auto* const more : {view_flags, predicted_flags, key_flags})
    for (auto& flag_of : more(o)) all.push_back(std::move(flag_of));
  return all;
}

void check_contrast(given_flags const& given, options const& o) {
  for (char const* const of_contrast :
       {"temperature", "contrast-predictor", "contrast-keys", "contrast-queue"})
    if (given.contains(of_contrast) && o.contrast == 0)
      throw usage_error(std::string("--") + of_contrast + " needs --contrast");
  if (o.queue > 0 && o.keys != key_choice::moving)
    throw usage_error(
        "--contrast-queue needs --contrast-keys moving: keys of earlier steps are comparable only "
        "where what makes them changes slowly");
  if (given.contains("paint-views") && !o.compares_images())
    throw usage_error(
        "--paint-views needs --contrast, --sigreg or --uniformity: views that are not painted "
        "teach "
        "nothing else");
  if (given.contains("local-crop") && o.local.views == 0)
    throw usage_error("--local-crop needs --local-views N");
  if (o.local.views > 0 && !o.compares_views())
    throw usage_error("--local-views needs --contrast or --sigreg, which compare views");
  if (o.predicted_share > 1)
    throw usage_error("--predict-share is a share of the hidden patches: at most 1");
  if (o.visible_loss > 0 && o.decoder == decoder_choice::cross)
    throw usage_error(
        "--visible-loss needs predictions of visible patches, and --decoder cross makes none: "
        "leave "
        "one of the two");
  if (o.visible_loss > 0 && given.contains("paint-views"))
    throw usage_error(
        "--paint-views saves the decoder's work on views, and --visible-loss predicts all of "
        "them: leave one of the two");
  if (given.contains("views") && o.compares_views() && o.views < 2)
    throw usage_error(std::string(o.contrast > 0 ? "--contrast" : "--sigreg") +
                      " compares views of an image: give --views 2 or more, or leave it");
}

void fill_contrast(given_flags const& given, options& o) {
  if (!given.contains("views")) o.views = o.compares_views() ? 2 + o.local.views : 1;
  if (o.local.views >= o.views)
    throw usage_error("--local-views leaves no view of the whole image's crops: give --views " +
                      std::to_string(o.local.views + 1) + " or more");
  if (o.painted_views > o.views)
    throw usage_error("--paint-views is more than the views of an image: give --views " +
                      std::to_string(o.painted_views) + ", or fewer to paint");
}

}  // namespace pretrain
