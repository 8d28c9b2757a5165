#pragma once

#include "class_metrics.hpp"
#include "class_pictures.hpp"
#include "finetune_flags.hpp"
#include "labelled_images.hpp"
#include "page.hpp"
#include "png_file.hpp"
#include "save_file.hpp"
#include "share_mask.hpp"

#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/eval/class_scores.hpp>
#include <mae/head/classifier.hpp>
#include <mae/head/keypoints.hpp>
#include <mae/head/segmenter.hpp>
#include <mae/io/json_writer.hpp>
#include <mae/mask/per_head.hpp>
#include <mae/model/headed_encoder.hpp>

#include <cstddef>
#include <filesystem>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

// What mae_finetune trains, and how each of its heads is graded.

namespace tools {

/// A share of hidden patches for each head.
using finetune_mask = mae::per_head_mask<share_mask, share_mask, share_mask>;

/// All heads that there are; those with weight 0 own nothing.
template <mae::Backend B>
using finetuned_model =
    mae::sized_headed_encoder<finetune_mask, B, mae::classifier, mae::segmenter, mae::keypoints>;

/// How good a head is on the test images.
template <class Model>
class head_task {
 public:
  head_task() = default;
  head_task(head_task const&) = delete;
  head_task& operator=(head_task const&) = delete;
  virtual ~head_task() = default;

  /// Of the model as it is now; all that follows is about this.
  virtual void grade(Model const& model, chosen_images const& test) = 0;
  /// Members of metrics.jsonl and of summary.json.
  virtual void describe(mae::json_object& record) const = 0;
  /// Members of summary.json alone.
  virtual void summarise(mae::json_object& /*summary*/) const {}
  /// For the user, without a full stop: "top-1 61.2 % of 10000 test images".
  virtual std::string sentence() const = 0;
  /// What a better model has more of.
  virtual double score() const = 0;
  /// Writes predictions; returns the files' names.
  virtual std::vector<std::string> save(std::filesystem::path const& out) const = 0;
  /// What report.html shows of the predictions.
  virtual std::vector<pretrain::page_section> sections() const = 0;
};

template <class Model>
class class_task final : public head_task<Model> {
 public:
  /// Its file is called NAME.csv.
  explicit class_task(std::string name) : name_(std::move(name)) {}

  void grade(Model const& model, chosen_images const& test) override {
    test_ = &test;
    names_ = std::get<class_head>(model.sizes().heads).class_names;
    scores_ = mae::class_scores<class_head>(model, test);
    labels_.clear();
    for (mae::index_t i = 0; i < test.size(); ++i) labels_.push_back(test.label(i));
    metrics_ = measure_classes(view(), labels_);
  }
  void describe(mae::json_object& record) const override {
    record.add("top1", metrics_.top1)
        .add("top5", metrics_.top5)
        .add("balanced_accuracy", metrics_.balanced_accuracy)
        .add("macro_f1", metrics_.macro_f1);
  }
  void summarise(mae::json_object& summary) const override {
    summary.add("classes", view().cols).add("confusion", metrics_.confusion);
  }
  std::string sentence() const override {
    std::ostringstream text;
    text << "top-1 " << percent * metrics_.top1 << " %, top-5 " << percent * metrics_.top5
         << " %, balanced accuracy " << percent * metrics_.balanced_accuracy << " % of "
         << metrics_.images << " test images";
    return text.str();
  }
  double score() const override { return metrics_.top1; }
  std::vector<std::string> save(std::filesystem::path const& out) const override {
    pretrain::save_text(out / (name_ + ".csv"), predictions_csv(view(), labels_));
    pretrain::save_text(out / "confusion.svg", draw_confusion(metrics_, names_));
    auto const pairs = confused();
    if (pairs.empty()) return {name_ + ".csv", "confusion.svg"};
    pretrain::save_png(draw_confused(*test_, pairs), out / "confused.png");
    return {name_ + ".csv", "confusion.svg", "confused.png"};
  }
  std::vector<pretrain::page_section> sections() const override {
    return confusion_sections(metrics_, names_, *test_, confused());
  }

 private:
  static constexpr double percent = 100.0;
  static constexpr std::size_t most_pairs = 6;
  static constexpr std::size_t most_examples = 6;

  std::vector<confused_pair> confused() const {
    return most_confused(metrics_, view(), labels_, most_pairs, most_examples);
  }
  mae::matrix_view<float const> view() const {
    auto const images = std::ssize(labels_);
    return {scores_.data(), images, std::ssize(scores_) / images};
  }

  std::string name_;
  chosen_images const* test_ = nullptr;
  std::vector<std::string> names_;  // of the classes, where they have some
  std::vector<float> scores_;
  std::vector<mae::index_t> labels_;
  class_metrics metrics_;
};

}  // namespace tools
