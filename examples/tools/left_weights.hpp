#pragma once

#include <mae/network/staging.hpp>

#include <span>
#include <utility>
#include <vector>

namespace tools {

/// Other weights in a model for as long as this object lives: those that a training leaves, where
/// they are not those that it trains.
template <class Model>
class left_weights {
  using scalar = typename Model::scalar;

 public:
  /// In the backend's memory; none: the model's own.
  left_weights(Model& model, std::span<scalar const> weights) : model_(model) {
    if (weights.empty()) return;
    auto const own = mae::host_values(model.backend(), std::as_const(model).parameters().values());
    trained_.assign(own.span().begin(), own.span().end());
    model.set_parameters(mae::host_values(model.backend(), weights).span());
  }
  left_weights(left_weights const&) = delete;
  left_weights& operator=(left_weights const&) = delete;
  // Of the model's own size: only want of memory could fail here, and ends the program.
  // NOLINTNEXTLINE(bugprone-exception-escape)
  ~left_weights() {
    if (!trained_.empty()) model_.set_parameters(trained_);
  }

  /// Lets them stay.
  void keep() { trained_.clear(); }

 private:
  Model& model_;
  std::vector<scalar> trained_;
};

}  // namespace tools
