#pragma once

#include "images.hpp"
#include "options.hpp"
#include "teacher.hpp"

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/dataset.hpp>
#include <mae/objective/fourier.hpp>
#include <mae/objective/hog.hpp>
#include <mae/objective/objective.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/objective/principal.hpp>
#include <mae/objective/teacher_tokens.hpp>

#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace mae {
class thread_pool;
}  // namespace mae

namespace pretrain {

struct beginning;

/// The objective that the command line chose. One type for all of them means that a model is
/// compiled once; a program that needs one objective names it in the model's type.
class chosen_objective {
 public:
  using any = std::variant<mae::normalised_pixels,
                           mae::pixels,
                           mae::hog,
                           mae::fourier_magnitudes,
                           mae::principal_components,
                           mae::teacher_tokens>;

  explicit chosen_objective(any objective) : objective_(std::move(objective)) {}

  any const& which() const { return objective_; }
  mae::index_t target_width(mae::model_config const& config) const {
    return std::visit([&](auto const& chosen) { return chosen.target_width(config); }, objective_);
  }
  void target(mae::model_config const& config,
              mae::matrix_view<float const> patches,
              std::span<mae::patch_index const> rows,
              mae::matrix_view<float> targets) const;
  /// Whether predictions can be shown as pixels.
  bool is_picture() const {
    return !std::holds_alternative<mae::hog>(objective_) &&
           !std::holds_alternative<mae::fourier_magnitudes>(objective_) &&
           !std::holds_alternative<mae::teacher_tokens>(objective_);
  }
  /// Throws mae::config_error where they cannot.
  void to_pixels(mae::matrix_view<float const> patches,
                 std::span<mae::patch_index const> rows,
                 mae::matrix_view<float const> predictions,
                 mae::matrix_view<float> pixels) const;
  /// See teacher_tokens.
  void require_statistics(mae::pixel_statistics const& statistics) const {
    if (auto const* const taught = std::get_if<mae::teacher_tokens>(&objective_))
      taught->require_statistics(statistics);
  }
  bool follows() const {
    auto const* const taught = std::get_if<mae::teacher_tokens>(&objective_);
    return taught != nullptr && taught->follows();
  }
  void follow(mae::followed_values const& student) const {
    std::get<mae::teacher_tokens>(objective_).follow(student);
  }
  mae::settings_list settings() const {
    return std::visit([](auto const& chosen) { return chosen.settings(); }, objective_);
  }
  std::vector<mae::objective_tensor> tensors() const {
    return std::visit([](auto const& chosen) { return mae::tensors_of(chosen); }, objective_);
  }

 private:
  any objective_;
};
static_assert(mae::Objective<chosen_objective>);

/// Makes it. Principal components are those of the training that goes on, or of the checkpoint
/// whose decoder it begins with; else they are fitted on the training images as the training will
/// see them. Throws mae::config_error, with the flag's name, for cells that do not divide a patch,
/// more components left out than there are, and flags that contradict the file.
chosen_objective make_objective(options const& settings,
                                image_set const& images,
                                beginning const& start,
                                mae::thread_pool& threads,
                                teacher_makers const& makers = {});

/// What the network's input is normalised by.
mae::pixel_statistics input_statistics(options const& settings,
                                       image_set const& images,
                                       beginning const& start,
                                       mae::thread_pool& threads);

/// What it asks the decoder for, in words: "27 values a patch: hog, cells of 4 pixels, ...".
std::string describe_targets(chosen_objective const& objective, mae::model_config const& config);

}  // namespace pretrain
