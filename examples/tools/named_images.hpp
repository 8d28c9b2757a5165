#pragma once

#include "checkpoint_flags.hpp"
#include "feature_rows.hpp"
#include "images.hpp"

#include <mae/core/types.hpp>

#include <string>
#include <vector>

namespace mae {
class thread_pool;
}  // namespace mae

namespace tools {

/// Images in memory, and which each of them is.
struct named_images {
  pretrain::image_set images;
  std::vector<feature_row> rows;  // of those that were asked for: the first of the set
  std::string source;             // what --data or its like named
};

/// What `data` names, as a model takes it: pictures of a folder, of all its parts and classes, in
/// the order of their paths' bytes; of CIFAR-10 and the synthetic set the test images. Of more than
/// `most` (0: all) pictures, as many, evenly spread; of the other sets the first. What is assumed
/// or left out is said on stderr. Throws as the loaders do.
named_images load_named_images(common_options const& o,
                               std::string const& data,
                               mae::pretrained_model const& model,
                               mae::index_t most,
                               mae::thread_pool& threads);

/// `most` of the numbers below `count`, evenly spread, or all of them.
std::vector<mae::index_t> spread(mae::index_t count, mae::index_t most);

}  // namespace tools
