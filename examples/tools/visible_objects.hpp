#pragma once

#include "labelled_images.hpp"
#include "visible_patches.hpp"

#include <mae/core/config.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>

#include <span>
#include <string>
#include <vector>

// How much of what lies in images is seen.

namespace tools {

/// A quotient of two means over the same images, and the ends of its interval of 95%.
struct mean_quotient {
  double value = 0;
  double low = 0;  // not a number of fewer than two images
  double high = 0;
};

/// mean(shares) / mean(chances), with the interval of a ratio estimate: its variance is that of
/// share - quotient * chance, over n (mean chance)^2 (Cochran, Sampling Techniques,
/// 1977, 6.3); 1.96 standard errors to both sides. Equally many of both, at least one.
mean_quotient quotient_of_means(std::span<double const> shares, std::span<double const> chances);

/// What of images' objects is visible: means over images that have objects.
struct objects_seen {
  double visible = 0;  // patches, of an image
  mae::index_t images = 0;
  double chance = 0;   // the share of an image's patches that is visible
  double pixels = 0;   // of its objects' pixels
  double patches = 0;  // of the patches that have a pixel of an object
  mean_quotient pixels_to_chance;
  mean_quotient patches_to_chance;
};

/// Looks at the images of a set whose masks or instances are known: an object's is every pixel of
/// a class but 0 and the unlabelled one, or of an instance. Throws config_error where none has an
/// object.
objects_seen see_objects(labelled_images const& images,
                         mae::model_config const& config,
                         patch_chooser const& chooser,
                         mae::thread_pool& threads);

/// A table for a terminal, and comma-separated values (RFC 4180) under the header "visible,images,
/// chance,pixels,pixels_quotient,pixels_low,pixels_high,patches,...".
std::string to_table(std::vector<objects_seen> const& found);
std::string to_csv(std::vector<objects_seen> const& found);

}  // namespace tools
