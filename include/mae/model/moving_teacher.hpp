#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/model/asked_encoder.hpp>
#include <mae/model/encoder.hpp>
#include <mae/objective/teacher_tokens.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace mae {

namespace detail {

/// An encoder of a student's sizes, whose values are not yet known.
template <Backend B>
struct unseen_encoder : sized_encoder<B> {
  unseen_encoder(model_config const& checked, B backend)
      : sized_encoder<B>(checked, 0, std::move(backend), 1e-6) {}
};

template <Backend B>
class following_encoder {
  using T = typename B::scalar;

 public:
  following_encoder(model_config const& checked, B backend, index_t blocks)
      : asked_(unseen_encoder<B>(checked, std::move(backend)), blocks),
        values_(static_cast<std::size_t>(asked_.encoder().layout().size())) {}

  void follow(followed_values const& student) {
    auto const& own = asked_.encoder().sizes();
    if (student.config.image != own.image || !(student.config.patch == own.patch) ||
        !(student.config.encoder == own.encoder))
      throw config_error(
          "a teacher that follows its student was made for an encoder of other sizes: give "
          "moving_teacher the model's configuration");
    if (!student.begins && student_ != student.student)
      throw config_error(
          "a teacher follows one student, and another training has begun with it: make a "
          "moving_teacher for each model");
    student_ = student.student;
    for (auto const& tensor : asked_.encoder().layout().tensors()) {
      auto const seen = student.find(tensor.name);
      std::copy(seen.begin(), seen.end(), values_.begin() + tensor.offset);
    }
    asked_.set_input(student.statistics, student.norm_epsilon);
    asked_.set_parameters(values_);
    has_seen_ = true;
  }
  void encode(std::span<float const> pixels, matrix_view<float> tokens) {
    if (!has_seen_)
      throw config_error(
          "a teacher that follows its student has not seen it: make a trainer of the model first, "
          "which shows it");
    asked_.encode(pixels, tokens);
  }

 private:
  asked_encoder<B> asked_;
  std::vector<T> values_;  // as laid out
  void const* student_ = nullptr;
  bool has_seen_ = false;
};

}  // namespace detail

/// A teacher that is the moving average of its student, whose type checks `config`: the mean of the
/// tokens after the average's last `blocks` blocks, before its final norm (data2vec, Baevski et al.
/// 2022, arXiv 2202.03555; Bootstrapped MAE, Dong et al. 2022, arXiv 2207.07116). The model's
/// trainer keeps the average, by a rule that has one (with_average), and shows it before the first
/// step and after each; it is saved and resumed with the rule's states. Copies share what they are
/// shown: each model needs one of its own, and a trainer throws config_error where it is another's
/// or of other sizes. Images are encoded by `backend`'s lanes on the threads that load them. Throws
/// config_error for more blocks than it has.
template <Backend B>
teacher moving_teacher(model_config const& config, B backend, index_t blocks = 1) {
  static_assert(B::uses_host_memory, "a teacher works where images are loaded, on the host");
  require_blocks(config, blocks);
  auto const following =
      std::make_shared<detail::following_encoder<B>>(config, std::move(backend), blocks);
  return {.image = config.image,
          .patch = config.patch,
          .width = config.encoder.width,
          .blocks = blocks,
          .identity = "ema",
          .encode = [following](std::span<float const> pixels,
                                matrix_view<float> tokens) { following->encode(pixels, tokens); },
          .follow = [following](followed_values const& student) { following->follow(student); }};
}

}  // namespace mae
