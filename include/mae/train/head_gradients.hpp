#pragma once

#include <mae/backend/block.hpp>
#include <mae/backend/concept.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/network/layout.hpp>
#include <mae/train/gradient_products.hpp>
#include <mae/train/partial_gradients.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>
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

/// A step's gradients of each head by itself, in the host's memory: one on the encoder for each
/// head, and on all heads' own tensors. Sums are of pieces in a fixed order: no number of threads
/// decides a bit.
template <Backend B>
class head_gradients {
  using T = typename B::scalar;

 public:
  head_gradients() = default;  // of no use but to be assigned to
  /// Room for heads of these names in these numbers of the network, a part of those that it has.
  head_gradients(parameter_layout const& layout,
                 std::span<std::string_view const> names,
                 std::vector<std::size_t> const& heads)
      : names_(names.begin(), names.end()), of_head_(names.size()), values_(size_of(layout)) {
    for (auto const& tensor : layout.tensors()) {
      auto const last = static_cast<std::size_t>(tensor.offset + tensor.size());
      if (tensor.segment == encoder_segment) {
        encoder_size_ = last;
        cut(tensor);
      }
      auto const found = std::ranges::find(names_, tensor.segment) - names_.begin();
      if (found == std::ssize(names_)) continue;
      auto& own = of_head_[static_cast<std::size_t>(found)];
      if (own.last == 0) own.first = static_cast<std::size_t>(tensor.offset);
      own.last = last;
    }
    for (std::size_t const head : heads) of_head_[head].on_encoder.resize(encoder_size_);
  }

  /// Keeps what a sum over one head alone amounts to, all laid out as the parameters.
  template <Lane L>
  void take(L const& lane, std::size_t head, std::span<T const> sum) {
    auto& of = of_head_[head];
    lane.download(sum.first(encoder_size_), std::span(of.on_encoder));
    auto const size = of.last - of.first;
    if (size > 0)
      lane.download(sum.subspan(of.first, size), std::span(values_).subspan(of.first, size));
  }

  /// The inner products of these heads' gradients, each times its factor.
  gradient_products products(thread_pool& threads,
                             std::vector<std::size_t> const& heads,
                             std::span<double const> factors) const {
    std::vector<std::string_view> names;
    for (std::size_t const head : heads) names.push_back(names_[head]);
    gradient_products found(heads, std::move(names), depths_);
    std::vector<double> parts(pieces_.size());
    for (std::size_t a = 0; a < heads.size(); ++a)
      for (std::size_t b = 0; b <= a; ++b) {
        threads.for_each(std::ssize(pieces_), [&](index_t i, int /*worker*/) {
          auto const& of = pieces_[static_cast<std::size_t>(i)];
          kernel::product_element<T> const product{of_head_[heads[a]].on_encoder.data() + of.first,
                                                   of_head_[heads[b]].on_encoder.data() + of.first};
          parts[static_cast<std::size_t>(i)] =
              serial_block{}.template sum<double>(of.last - of.first, product);
        });
        std::vector<double> sums(depths_);
        for (std::size_t i = 0; i < parts.size(); ++i) sums[pieces_[i].depth] += parts[i];
        for (std::size_t depth = 0; depth < depths_; ++depth)
          found.set(depth, a, b, factors[heads[a]] * factors[heads[b]] * sums[depth]);
      }
    return found;
  }

  /// Makes `values` the sum of these heads' gradients, each on the encoder times its share there,
  /// and on its own tensors times its factor (both by their numbers). Returns its squared norm.
  double combine(thread_pool& threads,
                 std::vector<std::size_t> const& heads,
                 std::span<double const> shares,
                 std::span<double const> factors) {
    auto const grain = static_cast<index_t>(piece_size);
    auto const size = std::ssize(values_);
    std::vector<double> squares(static_cast<std::size_t>(ceil_div(size, grain)));
    threads.for_ranges(size, grain, [&](index_t first, index_t last, int /*worker*/) {
      auto const begin = static_cast<std::size_t>(first);
      auto const end = static_cast<std::size_t>(last);
      for (std::size_t i = begin; i < std::min(end, encoder_size_); ++i) {
        double sum = 0;
        for (std::size_t const head : heads)
          sum += shares[head] * static_cast<double>(of_head_[head].on_encoder[i]);
        values_[i] = static_cast<T>(sum);
      }
      for (std::size_t head = 0; head < of_head_.size(); ++head) {
        auto const& of = of_head_[head];
        bool const takes_part = std::ranges::find(heads, head) != heads.end();
        T const factor = takes_part ? static_cast<T>(factors[head]) : T{0};
        for (std::size_t i = std::max(begin, of.first); i < std::min(end, of.last); ++i)
          values_[i] = takes_part ? values_[i] * factor : T{0};
      }
      squares[begin / piece_size] = serial_block{}.template sum<double>(
          last - first, kernel::square_element<T>{values_.data() + first});
    });
    double total = 0;
    for (double const part : squares) total += part;
    return total;
  }

  std::span<T const> values() const { return values_; }

 private:
  static constexpr std::size_t piece_size = std::size_t{1} << 14U;

  struct of_one {
    std::vector<T> on_encoder;
    std::size_t first = 0, last = 0;  // where its own tensors lie
  };
  struct piece {
    std::size_t depth = 0;
    index_t first = 0, last = 0;
  };

  static std::size_t size_of(parameter_layout const& layout) {
    return static_cast<std::size_t>(layout.size());
  }

  /// What is no parameter has no gradient.
  void cut(tensor_spec const& tensor) {
    constexpr auto largest = static_cast<index_t>(piece_size);
    auto const depth = static_cast<std::size_t>(tensor.depth);
    depths_ = std::max(depths_, depth + 1);
    if (tensor.kind != tensor_kind::parameter) return;
    index_t const end = tensor.offset + tensor.size();
    for (index_t first = tensor.offset; first < end; first += largest)
      pieces_.push_back({depth, first, std::min(first + largest, end)});
  }

  std::vector<std::string_view> names_;  // of all heads of the network
  std::vector<of_one> of_head_;
  std::vector<T> values_;
  std::size_t encoder_size_ = 0;
  std::size_t depths_ = 0;
  std::vector<piece> pieces_;
};

}  // namespace MAE_ISA
}  // namespace mae
