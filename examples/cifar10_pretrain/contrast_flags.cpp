#include "contrast_flags.hpp"

#include "flag_values.hpp"

#include <mae/train/options.hpp>

#include <string>

namespace pretrain {

std::vector<flag> contrast_flags(options& o) {
  return {
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
       positive(o.temperature)},
      {"views",
       "N",
       "crops and masks of each image in a step; a batch counts images\n"
       "[2 with --contrast or --sigreg, else 1]",
       whole(o.views, 1, static_cast<std::uint64_t>(mae::most_views))},
      {"paint-views",
       "N",
       "paint the first N views of each image, with heads that compare them;\n"
       "the others are encoded alone [all]",
       whole(o.painted_views, 1, static_cast<std::uint64_t>(mae::most_views))},
      {"predict-share",
       "S",
       with_default("predict this share of the hidden patches, drawn anew for each\n"
                    "image; the decoder does not see the others",
                    o.predicted_share),
       positive(o.predicted_share)}};
}

void check_contrast(given_flags const& given, options const& o) {
  if (given.contains("temperature") && o.contrast == 0)
    throw usage_error("--temperature needs --contrast");
  if (given.contains("paint-views") && !o.compares_images())
    throw usage_error(
        "--paint-views needs --contrast, --sigreg or --uniformity: views that are not painted "
        "teach "
        "nothing else");
  if (o.predicted_share > 1)
    throw usage_error("--predict-share is a share of the hidden patches: at most 1");
  if (given.contains("views") && o.compares_views() && o.views < 2)
    throw usage_error(std::string(o.contrast > 0 ? "--contrast" : "--sigreg") +
                      " compares views of an image: give --views 2 or more, or leave it");
}

void fill_contrast(given_flags const& given, options& o) {
  if (!given.contains("views")) o.views = o.compares_views() ? 2 : 1;
  if (o.painted_views > o.views)
    throw usage_error("--paint-views is more than the views of an image: give --views " +
                      std::to_string(o.painted_views) + ", or fewer to paint");
}

}  // namespace pretrain
