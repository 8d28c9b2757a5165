#pragma once

#include "checkpoint_flags.hpp"
#include "choices.hpp"
#include "command_line.hpp"
#include "feature_precision.hpp"

#include <mae/core/types.hpp>
#include <mae/op/pooling.hpp>

#include <string>
#include <vector>

// What mae_probe is asked.

namespace tools {

/// What reads classes off features.
enum class reader_choice { knn, linear, attentive, both, all };

/// Whose tokens are read: those after the last block, after one of them, or after each.
struct layer_choice {
  bool all = false;
  mae::index_t block = 0;  // 0: the last
};

struct probe_options : common_options {
  probe_options() { settings.augment.crop_min = 1; }  // what masks measure images on

  mae::pooling pool = mae::pooling::mean;
  feature_precision precision = feature_precision::fp32;
  reader_choice readers = reader_choice::both;
  std::vector<mae::index_t> neighbours;  // empty: the library's number, if there are so many images
  layer_choice layers;
  mae::index_t queries = 8;  // as mae::attentive_options has it
  double token_gigabytes = 4;
  mae::index_t folds = 0;  // of the training images; 0: test images are graded
  std::string out;
  std::vector<mae::index_t> visible;  // patches, ascending; empty: all, or what the mask shows
  bool visible_objects = false;
  std::string split;  // of labelled folders, by a table

  bool has_linear() const {
    return readers == reader_choice::linear || readers == reader_choice::both ||
           readers == reader_choice::all;
  }
  bool has_knn() const {
    return readers == reader_choice::knn || readers == reader_choice::both ||
           readers == reader_choice::all;
  }
  bool has_attentive() const {
    return readers == reader_choice::attentive || readers == reader_choice::all;
  }
};

std::vector<pretrain::flag_group> flags_for(probe_options& o);

/// Throws usage_error for flags that have no meaning beside others.
void check_combinations(pretrain::given_flags const& given, probe_options const& o);

}  // namespace tools
