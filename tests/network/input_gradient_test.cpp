#include "gradient_check.hpp"
#include "model_images.hpp"
#include "padded_matrix.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/encoder_pass.hpp>
#include <mae/network/input_gradient.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/op/attention.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace {

using mae::index_t;
using mae::matrix_view;
using mae_test::odd_config;
using mae_test::padded_matrix;
using exact = mae::eigen_backend<double>;
using exact_lane = exact::lane;

/// An encoder that stays as it is, and what its passes keep of one ragged shard.
class frozen_passes {
 public:
  explicit frozen_passes(bool has_final_norm) {
    auto random = mae_test::stream_of(5);
    for (double& value : values_) value = 0.3 * random.normal();
    auto const bound = mae::bind_network<double const>(layout_, parts_, values_.data());
    operands_ = prepared_.update(parts_, bound, backend_).encoder;
    if (!has_final_norm) operands_.norm = {};
    rows_.assign(mae_test::random_plan(odd_config, {{3, 9}, {2, 5}, {12, 0}}, 2), 0, 3);
    mae::carver<double> counter;
    carve(counter);
    memory_.resize(static_cast<std::size_t>(counter.used()));
    mae::carver<double> memory(memory_.data());
    carve(memory);
  }

  index_t num_visible() const { return rows_.num_visible(); }
  std::span<index_t const> visible_patches() const { return rows_.visible_patches(); }

  padded_matrix<double> tokens(matrix_view<double const> patches) const {
    auto const found =
        mae::encoder_forward(lane_, context(), operands_, rows_.view(), patches, keep_);
    padded_matrix<double> copy(found.rows, found.cols);
    for (index_t row = 0; row < found.rows; ++row)
      std::ranges::copy(found.row(row), copy.view().row(row).begin());
    return copy;
  }
  /// Of the visible patches, of the forward pass just done.
  padded_matrix<double> patches_grad(padded_matrix<double> tokens_grad) const {
    padded_matrix<double> grad(num_visible(), odd_config.patch_values(), mae_test::unset);
    mae::encoder_backward_input(
        lane_, context(), operands_, rows_.view(), keep_, grads_, tokens_grad.view(), grad.view());
    return grad;
  }

 private:
  void carve(mae::carver<double>& memory) {
    auto const room = mae::shard_capacity::of(rows_.view());
    auto const& stack = odd_config.encoder;
    keep_ = mae::encoder_activations<exact_lane>::carve(
        memory, odd_config, room, mae::pass_kind::training);
    grads_ = mae::encoder_gradients<exact_lane>::carve(memory, odd_config, room);
    scratch_ = memory.vector(mae::attention_scratch_size<exact_lane>({room.encoder_rows,
                                                                      room.longest_encoder_sequence,
                                                                      stack.heads,
                                                                      stack.width / stack.heads,
                                                                      lane_.num_members()}));
  }
  mae::block_context<double> context() const {
    return {rows_.view().encoder_offsets, odd_config.encoder.heads, 1e-6, scratch_};
  }

  exact backend_{1};
  exact_lane lane_ = backend_.make_lane();
  mae::network_parts<> parts_{odd_config};
  mae::parameter_layout layout_ = mae::layout_of(parts_);
  std::vector<double> values_ = std::vector<double>(static_cast<std::size_t>(layout_.size()));
  mae::prepared_weights<exact> prepared_{mae::pass_kind::training};
  mae::encoder_operands<exact_lane> operands_;
  mae::shard_rows rows_;
  std::vector<double> memory_;
  mae::encoder_activations<exact_lane> keep_;
  mae::encoder_gradients<exact_lane> grads_;
  std::span<double> scratch_;
};

}  // namespace

TEST_CASE("R1: a frozen encoder's gradient of its visible patches is that of its tokens") {
  for (bool const has_final_norm : {true, false}) {
    CAPTURE(has_final_norm);
    frozen_passes const passes(has_final_norm);
    auto random = mae_test::stream_of(7);
    padded_matrix<double> patches(3 * odd_config.num_patches(), odd_config.patch_values(), random);
    auto const tokens = passes.tokens(patches.view());
    padded_matrix<double> const cotangent(tokens.view().rows, tokens.view().cols, random);
    auto const gradient = passes.patches_grad(cotangent);
    CHECK(gradient.gaps_are_intact());

    // Along directions of every visible patch, one after the other.
    auto const directions = padded_matrix<double>(1, odd_config.patch_values(), random);
    padded_matrix<double> analytic(1, passes.num_visible());
    padded_matrix<double> numeric(1, passes.num_visible());
    for (index_t i = 0; i < passes.num_visible(); ++i) {
      auto const row = patches.view().row(passes.visible_patches()[static_cast<std::size_t>(i)]);
      std::vector<double> const kept(row.begin(), row.end());
      auto const tokens_at = [&](double step) {
        for (std::size_t k = 0; k < kept.size(); ++k)
          row[k] = kept[k] + step * directions(0, static_cast<index_t>(k));
        return passes.tokens(patches.view());
      };
      auto const above = tokens_at(mae_test::difference_step);
      auto const below = tokens_at(-mae_test::difference_step);
      std::ranges::copy(kept, row.begin());
      numeric.view()(0, i) = mae_test::contracted_difference(cotangent, above, below) /
                             (2 * mae_test::difference_step);
      for (index_t k = 0; k < odd_config.patch_values(); ++k)
        analytic.view()(0, i) += gradient(i, k) * directions(0, k);
    }
    mae_test::check_close("patches", analytic.view(), numeric.view());
  }
}
