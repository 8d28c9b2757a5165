#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/normalise.hpp>
#include <mae/objective/objective.hpp>
#include <mae/patch/patchify.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mae {

/// What a teacher that follows its student is shown of it: the moving average of its values, and
/// all else that tokens depend on.
struct followed_values {
  void const* student;  // where its values lie, which tells it from others
  bool begins;          // this is a trainer's beginning, and not one of its steps
  model_config const& config;
  double norm_epsilon;
  pixel_statistics const& statistics;
  /// Of a tensor of the encoder, by its name.
  std::function<std::span<float const>(std::string const& name)> find;
};

/// An encoder that does not learn by gradients, whoever's it is: see frozen_teacher for one of this
/// library's, moving_teacher for one that follows its student.
struct teacher {
  image_extent image;
  patch_extent patch;
  index_t width = 0;     // of a token
  index_t blocks = 1;    // of whose outputs the targets are the mean
  std::string identity;  // what tells it from others, a hash of its values
  /// Encodes an unmasked image: pixels (H, W, C) in scaled units; writes the patches' tokens after
  /// each of those blocks, tokens (blocks * N, width). Called from several threads at once.
  std::function<void(std::span<float const> pixels, matrix_view<float> tokens)> encode;
  /// Empty of one that stays as it is. Of one that follows its student a trainer calls it before
  /// the first step and after each, while nobody encodes.
  std::function<void(followed_values const&)> follow = {};
};

/// Throws config_error for the mean of more blocks than an encoder of these sizes has.
inline void require_blocks(model_config const& of_teacher, index_t blocks) {
  if (blocks < 1 || blocks > of_teacher.encoder.depth)
    throw config_error("the mean of the last " + std::to_string(blocks) +
                       " blocks of a teacher that has " + std::to_string(of_teacher.encoder.depth));
}

/// Predicts what a teacher, who sees the whole image, makes of each patch: its tokens after the
/// last blocks, each normalised over its values (mean 0, variance 1), the mean of those normalised
/// again where there are several. Of one block: Bootstrapped MAE's targets (Dong et al. 2022, arXiv
/// 2207.07116); of several data2vec's, normalised by token (Baevski et al. 2022, arXiv 2202.03555).
/// A target costs a forward pass of the teacher over all patches of the image.
class teacher_tokens {
 public:
  /// `seen` maps a dataset's values to the student's input. Throws config_error for a teacher
  /// without blocks or width, and for statistics that cannot be.
  teacher_tokens(teacher of, pixel_statistics seen)
      : teacher_(std::move(of)), seen_(std::move(seen)) {
    if (teacher_.blocks < 1 || teacher_.width < 1 || !teacher_.encode)
      throw config_error("a teacher needs an encoder, and one block at least to give tokens after");
    require_valid(seen_, teacher_.image.channels);
  }

  teacher const& of() const { return teacher_; }
  /// Whether the teacher follows its student, whose trainer must keep an average then.
  bool follows() const { return static_cast<bool>(teacher_.follow); }
  void follow(followed_values const& values) const { teacher_.follow(values); }
  /// Throws config_error where a model's input is made by other statistics than were given: the
  /// teacher would see other colours.
  void require_statistics(pixel_statistics const& of_model) const {
    if (of_model.mean != seen_.mean || of_model.deviation != seen_.deviation)
      throw config_error(
          "the model's pixel statistics are not those that its teacher was told of: give "
          "teacher_tokens the ones of model.set_statistics");
  }

  /// Throws config_error for a model of other images or patches than the teacher's.
  index_t target_width(model_config const& config) const {
    if (config.image != teacher_.image || !(config.patch == teacher_.patch))
      throw config_error("the teacher's images are of " + to_string(teacher_.image) +
                         " in patches of " + sides(teacher_.patch) + ", the model's of " +
                         to_string(config.image) + " in patches of " + sides(config.patch) +
                         ": both must see the same patches");
    return teacher_.width;
  }

  template <class T>
  void target(model_config const& config,
              matrix_view<T const> patches,
              std::span<patch_index const> rows,
              matrix_view<T> targets) const {
    if (rows.empty()) return;
    thread_local work room;
    index_t const count = config.num_patches();
    room.patches.assign(patches.data, patches.data + patches.size());
    room.pixels.resize(room.patches.size());
    room.tokens.resize(static_cast<std::size_t>(teacher_.blocks * count * teacher_.width));
    denormalise_pixels(room.patches, seen_);
    unpatchify(matrix_view<float const>(room.patches.data(), count, config.patch_values()),
               config.image,
               config.patch,
               room.pixels);
    matrix_view<float> const tokens(room.tokens.data(), teacher_.blocks * count, teacher_.width);
    teacher_.encode(room.pixels, tokens);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      auto const target = targets.row(static_cast<index_t>(i));
      mean_of_blocks(tokens, count, rows[i], room.mean);
      std::ranges::transform(
          room.mean, target.begin(), [](double value) { return static_cast<T>(value); });
    }
  }

  settings_list settings() const {
    return {{"objective", "teacher"},
            {"teacher", teacher_.identity},
            {"teacher_blocks", std::to_string(teacher_.blocks)}};
  }

 private:
  struct work {
    std::vector<float> patches, pixels, tokens;
    std::vector<double> mean;
  };

  static std::string sides(patch_extent const& patch) {
    return std::to_string(patch.height) + "x" + std::to_string(patch.width);
  }

  static void normalise(std::span<double> values) {
    constexpr double epsilon = 1e-6;
    auto const count = static_cast<double>(values.size());
    double mean = 0;
    double variance = 0;
    for (double const value : values) mean += value / count;
    for (double const value : values) variance += (value - mean) * (value - mean) / count;
    double const scale = 1 / std::sqrt(variance + epsilon);
    for (double& value : values) value = (value - mean) * scale;
  }

  void mean_of_blocks(matrix_view<float const> tokens,
                      index_t patches,
                      patch_index patch,
                      std::vector<double>& mean) const {
    mean.assign(static_cast<std::size_t>(teacher_.width), 0.0);
    std::vector<double> token(mean.size());
    for (index_t block = 0; block < teacher_.blocks; ++block) {
      auto const row = tokens.row(block * patches + patch);
      token.assign(row.begin(), row.end());
      normalise(token);
      for (std::size_t k = 0; k < mean.size(); ++k)
        mean[k] += token[k] / static_cast<double>(teacher_.blocks);
    }
    if (teacher_.blocks > 1) normalise(mean);
  }

  teacher teacher_;
  pixel_statistics seen_;
};
static_assert(Objective<teacher_tokens>);

}  // namespace mae
