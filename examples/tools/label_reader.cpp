#include "label_reader.hpp"

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/images/picture_fit.hpp>

#include <cstdint>
#include <iterator>
#include <utility>

namespace tools {

using mae::index_t;

namespace {

std::string size_text(mae::map_shape const& shape) {
  return std::to_string(shape.rows) + "x" + std::to_string(shape.columns);
}

}  // namespace

picture_place place_of(mae::resampling const& how) {
  auto const along = [](index_t begin, index_t length, index_t resized, index_t kept) {
    float const scale = static_cast<float>(length) / static_cast<float>(resized);
    return std::pair(static_cast<float>(begin) + scale * static_cast<float>(kept), scale);
  };
  auto const [x, x_scale] = along(how.from.left, how.from.width, how.width, how.kept.left);
  auto const [y, y_scale] = along(how.from.top, how.from.height, how.height, how.kept.top);
  return {x, x_scale, y, y_scale};
}

void label_reader::reserve(place_labels& to, std::size_t images) const {
  auto const pixels = static_cast<std::size_t>(request_.images.extent.pixels());
  if (request_.masks) to.masks.assign(images * pixels, mae::unlabelled_pixel);
  if (request_.instances) to.instances.resize(images * pixels);
  if (labels_.table) {
    to.num_points = std::ssize(labels_.table->names);
    to.points.resize(images * labels_.table->names.size());
  }
  to.places.resize(images);
  to.names.resize(images);
}

void label_reader::read(place_labels& to,
                        std::size_t image,
                        std::string const& path,
                        std::string name) const {
  auto const shape = mae::picture_size(path, request_.images.limits);
  auto const how =
      mae::plan_fit(shape.rows, shape.columns, request_.images.extent, request_.images.fit);
  to.places[image] = place_of(how);
  if (request_.masks) read_mask(to, image, name, shape, how);
  if (auto const* const points = points_of(labels_, name))
    place_points(to, image, name, shape, *points);
  to.names[image] = std::move(name);
}

void label_reader::read_mask(place_labels& to,
                             std::size_t image,
                             std::string const& name,
                             mae::map_shape const& shape,
                             mae::resampling const& how) const {
  auto const path = mask_of(labels_, name);
  if (path.empty()) return;
  auto const stored = mae::read_label_map(path, request_.images.limits);
  if (!(stored.shape == shape))
    throw mae::config_error(path + " has " + size_text(stored.shape) + " pixels, but its picture " +
                            name + " " + size_text(shape));
  auto const fitted = mae::fitted_labels(stored, how);
  std::size_t const begin = image * fitted.size();
  for (std::size_t i = 0; i < fitted.size(); ++i) {
    if (request_.instances) {
      to.instances[begin + i] = fitted[i];
      to.masks[begin + i] = fitted[i] > 0 ? 1 : 0;
      continue;
    }
    if (fitted[i] > mae::unlabelled_pixel)
      throw mae::config_error(path + " has the value " + std::to_string(fitted[i]) +
                              ": classes are at most 254, 255 is for pixels of none (--instances "
                              "takes labels/, in which each value is an instance)");
    to.masks[begin + i] = static_cast<std::uint8_t>(fitted[i]);
  }
}

void label_reader::place_points(place_labels& to,
                                std::size_t image,
                                std::string const& name,
                                mae::map_shape const& shape,
                                std::vector<mae::keypoint> const& points) const {
  auto const width = static_cast<float>(shape.columns);
  auto const height = static_cast<float>(shape.rows);
  for (std::size_t j = 0; j < points.size(); ++j) {
    auto const& point = points[j];
    if (point.visible && !(point.x >= 0 && point.x <= width && point.y >= 0 && point.y <= height))
      throw mae::config_error(labels_.table_path + ": " + labels_.table->names[j] + " of " + name +
                              " lies outside of the picture, which has " + size_text(shape) +
                              " pixels; leave it empty where it is not to be seen");
    to.points[image * points.size() + j] = to.places[image].in_image(point);
  }
}

}  // namespace tools
