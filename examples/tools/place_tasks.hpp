#pragma once

#include "head_task.hpp"
#include "labelled_images.hpp"
#include "page.hpp"
#include "place_pictures.hpp"
#include "png_file.hpp"
#include "save_file.hpp"

#include <mae/core/config.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/data/annotation.hpp>
#include <mae/eval/instances.hpp>
#include <mae/eval/keypoint_metrics.hpp>
#include <mae/eval/place_predictions.hpp>
#include <mae/eval/segmentation_metrics.hpp>
#include <mae/io/json_writer.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

// How heads that say something of places are graded: at the size of the model's images; distances
// of points in pixels of the pictures.

namespace tools {

template <class Model>
class segmentation_task final : public head_task<Model> {
 public:
  /// Files are called NAME.csv and NAME.png.
  explicit segmentation_task(std::string name) : name_(std::move(name)) {}

  void grade(Model const& model, chosen_images const& test) override {
    test_ = &test;
    predicted_ = mae::predicted_masks<segmentation_head>(model, test);
    auto const classes = std::get<segmentation_head>(model.sizes().heads).classes;
    pixels_ = mae::pixel_confusion(classes);
    instances_ = {};
    lines_.clear();
    for (mae::index_t i = 0; i < test.size(); ++i) grade_image(i, classes);
  }
  void describe(mae::json_object& record) const override {
    record.add("mean_iou", pixels_.mean_iou())
        .add("foreground_iou", pixels_.foreground_iou())
        .add("pixel_accuracy", pixels_.accuracy());
    if (!counts_instances()) return;
    record.add("f1", instances_.f1())
        .add("average_precision", instances_.average_precision())
        .add("mean_average_precision", instances_.mean_average_precision());
  }
  void summarise(mae::json_object& summary) const override {
    std::vector<double> each;
    for (mae::index_t k = 0; k < pixels_.classes(); ++k)
      each.push_back(pixels_.iou(k).value_or(0.0));
    summary.add("iou", each).add("pixel_confusion", pixels_.counts());
    if (!counts_instances()) return;
    std::vector<double> f1;
    for (std::size_t t = 0; t < mae::instance_matches::num_thresholds; ++t)
      f1.push_back(instances_.f1(t));
    summary.add("f1_at_iou_50_to_95", f1)
        .add("instances", instances_.truth())
        .add("instances_found", instances_.found());
  }
  std::string sentence() const override {
    std::ostringstream text;
    text << "mean IoU " << pixels_.mean_iou() << ", foreground IoU "
         << pixels_.foreground_iou().value_or(0.0);
    if (counts_instances())
      text << ", instances' F1 " << instances_.f1() << ", AP " << instances_.average_precision();
    text << " of " << test_->size() << " test images";
    return text.str();
  }
  double score() const override { return pixels_.mean_iou(); }
  std::vector<std::string> save(std::filesystem::path const& out) const override {
    std::string table = "image,pixel_accuracy,mean_iou,foreground_iou";
    table += counts_instances() ? ",instances,found,f1\r\n" : "\r\n";
    for (auto const& line : lines_) table += line + "\r\n";
    pretrain::save_text(out / (name_ + ".csv"), table);
    pretrain::save_png(draw_masks(*test_, predicted_), out / (name_ + ".png"));
    return {name_ + ".csv", name_ + ".png"};
  }
  std::vector<pretrain::page_section> sections() const override {
    return {{.title = "Masks of test images",
             .text = "Each image, its mask, and what was predicted.",
             .strips = {{"image, truth, predicted",
                         "test images, their masks, the predicted masks",
                         pretrain::png_of(draw_masks(*test_, predicted_)),
                         3}}}};
  }

 private:
  /// Of fewer pixels a part is noise.
  static constexpr mae::index_t least_pixels = 4;

  bool counts_instances() const { return !test_->places().instances.empty(); }

  void grade_image(mae::index_t image, mae::index_t classes) {
    auto const extent = test_->extent();
    auto const pixels = static_cast<std::size_t>(extent.pixels());
    auto const begin = static_cast<std::size_t>(image) * pixels;
    std::span<std::uint8_t const> const found(predicted_.data() + begin, pixels);
    test_->annotate(image, said_);
    mae::pixel_confusion own(classes);
    own.add(said_.mask, found);
    pixels_.add(said_.mask, found);
    auto fields = std::vector{name_of(*test_, image),
                              mae::decimal_text(own.accuracy()),
                              mae::decimal_text(own.mean_iou()),
                              text_of(own.foreground_iou())};
    if (counts_instances()) {
      auto const there = test_->instances(image);
      auto const parts =
          mae::connected_components(found, {extent.height, extent.width}, least_pixels);
      mae::instance_matches matched;
      matched.add(there, std::span<std::uint32_t const>(parts));
      instances_.add(there, std::span<std::uint32_t const>(parts));
      fields.push_back(std::to_string(matched.truth()));
      fields.push_back(std::to_string(matched.found()));
      fields.push_back(mae::decimal_text(matched.f1()));
    }
    lines_.push_back(mae::csv_line(fields));
  }
  static std::string text_of(std::optional<double> const& value) {
    return value ? mae::decimal_text(*value) : std::string();
  }

  std::string name_;
  chosen_images const* test_ = nullptr;
  std::vector<std::uint8_t> predicted_;  // (n, H, W)
  mae::pixel_confusion pixels_{2};
  mae::instance_matches instances_;
  std::vector<std::string> lines_;  // (n)
  mae::annotation said_;
};

template <class Model>
class keypoint_task final : public head_task<Model> {
 public:
  /// Files are called NAME.csv and NAME.png.
  keypoint_task(std::string name, std::vector<std::string> points)
      : name_(std::move(name)), points_(std::move(points)) {}

  void grade(Model const& model, chosen_images const& test) override {
    test_ = &test;
    found_ = mae::predicted_keypoints<keypoint_head>(model, test);
    errors_ = mae::keypoint_errors(num_points());
    mae::annotation said;
    for (mae::index_t i = 0; i < test.size(); ++i) {
      test.annotate(i, said);
      for (auto& point : said.points) point = place(i).in_picture(point);
      auto const own = in_picture(i);
      errors_.add(said.points, own);
    }
  }
  void describe(mae::json_object& record) const override {
    record.add("pixel_error", errors_.mean())
        .add("median_pixel_error", errors_.median())
        .add("pck", errors_.pck_10())
        .add("pck_05", errors_.pck_5());
  }
  void summarise(mae::json_object& summary) const override {
    mae::json_object each;
    auto const means = errors_.mean_of_each();
    for (std::size_t j = 0; j < points_.size(); ++j) each.add(points_[j], means[j]);
    summary.add("pixel_error_of_each", each).add("points", errors_.points());
  }
  std::string sentence() const override {
    std::ostringstream text;
    text << "points' error " << errors_.mean() << " pixels (median " << errors_.median()
         << "), PCK@0.1 " << errors_.pck_10() << " of " << errors_.points() << " points in "
         << test_->size() << " test images";
    return text.str();
  }
  double score() const override { return -errors_.mean(); }
  std::vector<std::string> save(std::filesystem::path const& out) const override {
    std::vector<std::string> names{"image"};
    for (auto const& point : points_)
      for (auto const* const what : {"_x", "_y", "_confidence"}) names.push_back(point + what);
    std::string table = mae::csv_line(names) + "\r\n";
    for (mae::index_t i = 0; i < test_->size(); ++i) {
      std::vector<std::string> fields{name_of(*test_, i)};
      for (auto const& point : in_picture(i))
        for (float const value : {point.x, point.y, point.confidence})
          fields.push_back(mae::decimal_text(static_cast<double>(value)));
      table += mae::csv_line(fields) + "\r\n";
    }
    pretrain::save_text(out / (name_ + ".csv"), table);
    pretrain::save_png(draw_points(*test_, found_), out / (name_ + ".png"));
    return {name_ + ".csv", name_ + ".png"};
  }
  std::vector<pretrain::page_section> sections() const override {
    return {{.title = "Points of test images",
             .text = "A ring where a visible point is, a dot where it was found; a colour a point.",
             .strips = {{"truth and prediction",
                         "test images with their points and the predicted ones",
                         pretrain::png_of(draw_points(*test_, found_))}}}};
  }

 private:
  mae::index_t num_points() const { return std::ssize(points_); }
  picture_place const& place(mae::index_t image) const {
    return test_->places().places[static_cast<std::size_t>(test_->number(image))];
  }
  std::vector<mae::found_keypoint> in_picture(mae::index_t image) const {
    auto const begin = found_.begin() + image * num_points();
    std::vector<mae::found_keypoint> moved(begin, begin + num_points());
    for (auto& point : moved) {
      auto const at = place(image).in_picture({point.x, point.y, true});
      point.x = at.x;
      point.y = at.y;
    }
    return moved;
  }

  std::string name_;
  std::vector<std::string> points_;
  chosen_images const* test_ = nullptr;
  std::vector<mae::found_keypoint> found_;  // (n, J), in pixels of the images
  mae::keypoint_errors errors_{0};
};

}  // namespace tools
