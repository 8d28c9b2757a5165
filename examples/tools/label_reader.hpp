#pragma once

#include "found_labels.hpp"
#include "labelled_folder.hpp"
#include "labelled_images.hpp"

#include <mae/data/annotation.hpp>
#include <mae/data/byte_resizer.hpp>
#include <mae/images/label_map.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace tools {

/// Where a model's pixels lie in a picture that is resampled so.
picture_place place_of(mae::resampling const& how);

/// Writes what one picture's labels become into its place among the set's.
class label_reader {
 public:
  /// Both must outlive this object.
  label_reader(found_labels const& labels, label_request const& request)
      : labels_(labels), request_(request) {}

  void reserve(place_labels& to, std::size_t images) const;
  /// Throws config_error, which names the file, for labels that do not fit their picture.
  void read(place_labels& to, std::size_t image, std::string const& path, std::string name) const;

 private:
  void read_mask(place_labels& to,
                 std::size_t image,
                 std::string const& name,
                 mae::map_shape const& shape,
                 mae::resampling const& how) const;
  void place_points(place_labels& to,
                    std::size_t image,
                    std::string const& name,
                    mae::map_shape const& shape,
                    std::vector<mae::keypoint> const& points) const;

  found_labels const& labels_;
  label_request const& request_;
};

}  // namespace tools
