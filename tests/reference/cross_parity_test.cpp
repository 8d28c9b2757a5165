// R2: a cross-attention decoder against PyTorch, as make_cross_reference.py describes it.

#include "loaded_model.hpp"
#include "model_fixture.hpp"

#include <mae/head/cross_painter.hpp>
#include <mae/network/layout.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

namespace {

using mae_test::allowed;
using mae_test::excess;
using mae_test::model_fixture;

}  // namespace

TEST_CASE_TEMPLATE("R2: what a cross-attention decoder predicts, and its gradients, are PyTorch's",
                   T,
                   float,
                   double) {
  model_fixture const file("cross");
  mae_test::loaded_model<T, mae::cross_painter> model(file);
  CHECK(excess<T>(model.latent(), file.values("output.latent"), allowed<T>::output) <= 0);
  auto const count = static_cast<T>(model.plan().total().target);
  auto const targets = model.normalised_targets();
  std::array const loss{model.forward(targets) / static_cast<double>(count)};
  CHECK(excess<double>(loss, file.values("output.loss"), allowed<T>::loss) <= 0);
  CHECK(excess(model.prediction(), file.values("output.pred"), allowed<T>::output) <= 0);

  model.backward(targets);
  for (T& value : model.gradient()) value /= count;
  auto const expected = file.block<float>(model.layout(), "grad.");
  for (auto const& tensor : model.layout().tensors()) {
    if (tensor.kind == mae::tensor_kind::buffer) continue;
    CAPTURE(tensor.name);
    auto const first = static_cast<std::size_t>(tensor.offset);
    auto const size = static_cast<std::size_t>(tensor.size());
    CHECK(excess<T>(model.gradient().subspan(first, size),
                    expected.span().subspan(first, size),
                    allowed<T>::gradient) <= 0);
  }
}
