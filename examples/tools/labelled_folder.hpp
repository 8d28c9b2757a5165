#pragma once

#include "images.hpp"
#include "labelled_images.hpp"

#include <mae/core/types.hpp>
#include <mae/data/annotation.hpp>

#include <iosfwd>
#include <string>
#include <vector>

namespace mae {
class thread_pool;
}  // namespace mae

// Folders whose pictures have labels of their places: docs/labels.md says how they are laid out.

namespace tools {

/// Which labels are wanted.
struct label_request {
  bool masks = false;
  bool instances = false;  // in place of classes: labels/
  bool points = false;
  std::string keypoints = {};  // a table elsewhere than keypoints.csv
  std::string split = {};      // a table that says which picture is of which part
  pretrain::image_request images = {};

  bool any() const { return masks || points; }
};

/// Labelled images to train on and to test with.
struct labelled_sets {
  labelled_images train;
  labelled_images test;
  std::string name;
  std::vector<std::string> class_names = {};
  mae::index_t mask_classes = 0;  // the background one of them
  std::vector<std::string> point_names = {};
  mae::mirror_partners partners = {};
  bool partners_known = false;  // else a mirror image may not be shown
};

/// Pictures of DIR/images with their labels beside that folder. What is assumed or left out is a
/// line on `notes`. Throws what the library's readers throw, and config_error for labels that do
/// not fit their pictures and for parts without labels.
labelled_sets load_labelled_folder(std::string const& folder,
                                   label_request const& request,
                                   mae::thread_pool& threads,
                                   std::ostream& notes);

/// The synthetic images with the figures' own labels.
labelled_sets load_labelled_synthetic(label_request const& request,
                                      mae::thread_pool& threads,
                                      std::ostream& notes);

}  // namespace tools
