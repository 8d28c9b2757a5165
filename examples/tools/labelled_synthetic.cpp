#include "data_source.hpp"
#include "label_reader.hpp"
#include "labelled_folder.hpp"

#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/data/annotation.hpp>
#include <mae/data/byte_resizer.hpp>
#include <mae/data/synthetic.hpp>
#include <mae/images/label_map.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>

namespace tools {
namespace {

using mae::index_t;

/// Of the images that a painter paints.
place_labels painted_labels(mae::synthetic_dataset const& painter, label_request const& request) {
  auto const extent = request.images.extent;
  auto const own = painter.extent();
  auto const how =
      mae::resampling::whole({0, 0, own.height, own.width}, extent.height, extent.width);
  place_labels labels;
  labels.num_points = std::ssize(mae::synthetic_dataset::point_names);
  labels.places.assign(static_cast<std::size_t>(painter.size()), place_of(how));
  mae::annotation said;
  for (index_t i = 0; i < painter.size(); ++i) {
    painter.annotate(i, said);
    mae::label_map const map{{own.height, own.width}, {said.mask.begin(), said.mask.end()}};
    for (auto const value : mae::fitted_labels(map, how))
      labels.masks.push_back(static_cast<std::uint8_t>(value));
    for (auto const& point : said.points) labels.points.push_back(labels.places[0].in_image(point));
  }
  if (request.instances) {
    for (auto& value : labels.masks) value = value > 0 ? 1 : 0;
    labels.instances.assign(labels.masks.begin(), labels.masks.end());
  }
  return labels;
}

}  // namespace

labelled_sets load_labelled_synthetic(label_request const& request,
                                      mae::thread_pool& threads,
                                      std::ostream& notes) {
  auto images = pretrain::load_images({}, request.images, threads, notes);
  labelled_sets sets{
      .train = {std::move(images.train),
                painted_labels(pretrain::synthetic_train_images(), request)},
      .test = {std::move(images.test), painted_labels(pretrain::synthetic_test_images(), request)},
      .name = images.name};
  sets.mask_classes = request.instances ? 2 : sets.train.images.num_classes() + 1;
  for (auto const* const name : mae::synthetic_dataset::point_names)
    sets.point_names.emplace_back(name);
  sets.partners = mae::synthetic_dataset::point_partners();
  sets.partners_known = true;
  return sets;
}

}  // namespace tools
