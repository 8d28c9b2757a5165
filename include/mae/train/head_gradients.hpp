#pragma once

#include <mae/backend/block.hpp>
#include <mae/backend/concept.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/network/layout.hpp>
#include <mae/train/gradient_products.hpp>
#include <mae/train/partial_gradients.hpp>

#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace mae {
inline namespace MAE_ISA {
namespace kernel {

template <class T>
struct product_element {
  T const* a;
  T const* b;

  MAE_HOST_DEVICE double operator()(index_t i) const {
    return static_cast<double>(a[i]) * static_cast<double>(b[i]);
  }
};

}  // namespace kernel

/// A step's gradients of each of a network's heads by itself, in the host's memory: one on the
/// encoder for each head, and on all heads' own tensors. Sums are of pieces in a fixed order: no
/// number of threads decides a bit.
template <Backend B, std::size_t NumHeads>
class head_gradients {
  using T = typename B::scalar;
  using heads_type = std::bitset<NumHeads>;
  using of_each_head = std::array<double, NumHeads>;

 public:
  head_gradients() = default;  // of no use but to be assigned to
  /// Room for some of the heads of these names.
  head_gradients(parameter_layout const& layout,
                 std::array<std::string_view, NumHeads> const& names,
                 heads_type const& heads) {
    values_.resize(static_cast<std::size_t>(layout.size()));
    for (auto const& tensor : layout.tensors()) {
      if (tensor.segment == encoder_segment) cut(tensor);
      for (std::size_t head = 0; head < NumHeads; ++head)
        if (tensor.segment == names[head]) own_[head].include(tensor);
    }
    for (std::size_t head = 0; head < NumHeads; ++head)
      if (heads[head]) on_encoder_[head].resize(static_cast<std::size_t>(encoder_size_));
  }

  /// Keeps what a sum over one head alone amounts to, all laid out as the parameters.
  template <Lane L>
  void take(L const& lane, std::size_t head, std::span<T const> sum) {
    lane.download(sum.first(on_encoder_[head].size()), std::span<T>(on_encoder_[head]));
    auto const first = static_cast<std::size_t>(own_[head].first);
    auto const size = static_cast<std::size_t>(own_[head].last) - first;
    if (size > 0)
      lane.download(sum.subspan(first, size), std::span<T>(values_).subspan(first, size));
  }

  /// The inner products of these heads' gradients, each times its factor.
  template <class Threads>
  gradient_products products(Threads& threads,
                             heads_type const& heads,
                             of_each_head const& factors) const {
    gradient_products found{.depths = depths_, .heads = NumHeads};
    found.values.resize(depths_ * NumHeads * NumHeads);
    std::vector<double> parts(pieces_.size());
    for (std::size_t a = 0; a < NumHeads; ++a)
      for (std::size_t b = 0; b <= a; ++b) {
        if (!heads[a] || !heads[b]) continue;
        threads.for_each(std::ssize(pieces_), [&](index_t i, int /*worker*/) {
          auto const& of = pieces_[static_cast<std::size_t>(i)];
          kernel::product_element<T> const product{on_encoder_[a].data() + of.first,
                                                   on_encoder_[b].data() + of.first};
          parts[static_cast<std::size_t>(i)] =
              serial_block{}.template sum<double>(of.last - of.first, product);
        });
        std::vector<double> sums(depths_);
        for (std::size_t i = 0; i < parts.size(); ++i) sums[pieces_[i].depth] += parts[i];
        for (std::size_t depth = 0; depth < depths_; ++depth)
          for (std::size_t const at : {a * NumHeads + b, b * NumHeads + a})
            found.values[depth * NumHeads * NumHeads + at] = factors[a] * factors[b] * sums[depth];
      }
    return found;
  }

  /// Makes `values` the sum of these heads' gradients, each on the encoder times its share there,
  /// and on its own tensors times its factor. Returns its squared norm.
  template <class Threads>
  double combine(Threads& threads,
                 heads_type const& heads,
                 of_each_head const& shares,
                 of_each_head const& factors) {
    auto const size = std::ssize(values_);
    std::vector<double> squares(static_cast<std::size_t>(ceil_div(size, grain)));
    threads.for_ranges(size, grain, [&](index_t first, index_t last, int /*worker*/) {
      combine_encoder(heads, shares, first, std::min(last, encoder_size_));
      for (std::size_t head = 0; head < NumHeads; ++head)
        scale_own(heads[head] ? static_cast<T>(factors[head]) : T{0},
                  std::max(first, own_[head].first),
                  std::min(last, own_[head].last));
      squares[static_cast<std::size_t>(first / grain)] = serial_block{}.template sum<double>(
          last - first, kernel::square_element<T>{values_.data() + first});
    });
    double total = 0;
    for (double const part : squares) total += part;
    return total;
  }

  std::span<T const> values() const { return values_; }

 private:
  static constexpr index_t grain = 1 << 14;

  struct piece {
    std::size_t depth = 0;
    index_t first = 0;
    index_t last = 0;
  };

  /// What is no parameter has no gradient.
  void cut(tensor_spec const& tensor) {
    index_t const end = tensor.offset + tensor.size();
    auto const depth = static_cast<std::size_t>(tensor.depth);
    encoder_size_ = end;
    depths_ = std::max(depths_, depth + 1);
    if (tensor.kind != tensor_kind::parameter) return;
    for (index_t first = tensor.offset; first < end; first += grain)
      pieces_.push_back({depth, first, std::min(first + grain, end)});
  }

  void combine_encoder(heads_type const& heads,
                       of_each_head const& shares,
                       index_t first,
                       index_t last) {
    for (auto i = static_cast<std::size_t>(first);
         i < static_cast<std::size_t>(std::max(first, last));
         ++i) {
      double sum = 0;
      for (std::size_t head = 0; head < NumHeads; ++head)
        if (heads[head]) sum += shares[head] * static_cast<double>(on_encoder_[head][i]);
      values_[i] = static_cast<T>(sum);
    }
  }
  /// Of a head without a part, what it left in an earlier step may be anything.
  void scale_own(T factor, index_t first, index_t last) {
    for (index_t i = first; i < last; ++i) {
      T& value = values_[static_cast<std::size_t>(i)];
      value = factor == 0 ? T{0} : value * factor;
    }
  }

  std::array<std::vector<T>, NumHeads> on_encoder_;
  std::vector<T> values_;
  std::array<tensor_range, NumHeads> own_;
  index_t encoder_size_ = 0;
  std::size_t depths_ = 0;
  std::vector<piece> pieces_;
};

}  // namespace MAE_ISA
}  // namespace mae
