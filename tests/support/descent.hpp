#pragma once

#include "labelled_images.hpp"

#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/network/layout.hpp>
#include <mae/optimizer/sgd.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

// Gradients of whole steps, as a training makes them.

namespace mae_test {

/// One step of plain gradient descent with rate 1: what the parameters lose is their gradient.
struct descent {
  double loss = 0;
  std::vector<double> gradient;
};

template <class Model>
descent descend(Model& model,
                labelled_images const& images,
                mae::index_t batch,
                mae::index_t accumulate = 1,
                mae::index_t views = 1,
                mae::training_options options = {}) {
  options.batch_size = batch;
  options.accumulate = accumulate;
  options.views = views;
  options.steps = 1;
  options.lr = 1;
  options.warmup_epochs = 0;
  std::vector<double> const before(model.parameters().values().begin(),
                                   model.parameters().values().end());
  mae::trainer trainer(model, images, options, mae::sgd{.momentum = 0});
  descent found{.loss = trainer.step().loss, .gradient = before};
  for (std::size_t i = 0; i < before.size(); ++i)
    found.gradient[i] -= model.parameters().values()[i];
  model.set_parameters(before);
  return found;
}

inline double largest_difference(std::vector<double> const& a, std::vector<double> const& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

/// Every tensor's gradient is that of the reported loss, by central differences in one direction.
template <class Model>
void check_gradient(Model& model,
                    labelled_images const& images,
                    mae::index_t batch,
                    mae::index_t accumulate,
                    mae::index_t views = 1,
                    mae::training_options const& options = {}) {
  constexpr double step = 1e-5;
  auto const gradient = descend(model, images, batch, accumulate, views, options).gradient;
  std::vector<double> const kept(model.parameters().values().begin(),
                                 model.parameters().values().end());
  for (auto const& tensor : model.layout().tensors()) {
    if (tensor.kind == mae::tensor_kind::buffer) continue;
    CAPTURE(tensor.name);
    double analytic = 0;
    auto const loss_at = [&](double length) {
      mae::random_stream random({.seed = 7});
      auto moved = kept;
      analytic = 0;
      for (mae::index_t i = tensor.offset; i < tensor.offset + tensor.size(); ++i) {
        auto const at = static_cast<std::size_t>(i);
        double const direction = random.normal();
        moved[at] += length * direction;
        analytic += direction * gradient[at];
      }
      model.set_parameters(moved);
      double const loss = descend(model, images, batch, accumulate, views, options).loss;
      model.set_parameters(kept);
      return loss;
    };
    double const numeric = (loss_at(step) - loss_at(-step)) / (2 * step);
    CHECK(std::abs(numeric - analytic) <= 1e-6 * std::max(1.0, std::abs(analytic)));
  }
}

}  // namespace mae_test
