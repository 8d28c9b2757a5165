#pragma once

#include <mae/backend/block.hpp>
#include <mae/backend/concept.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/op/set_zero.hpp>
#include <mae/train/exchange.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace mae {

inline namespace MAE_ISA {
namespace kernel {

template <class T>
struct square_element {
  T const* values;

  MAE_HOST_DEVICE double operator()(index_t i) const {
    auto const value = static_cast<double>(values[i]);
    return value * value;
  }
};

template <class T>
struct scale_element {
  T* values;
  T factor;

  MAE_HOST_DEVICE void operator()(index_t i) const { values[i] *= factor; }
};

}  // namespace kernel
}  // namespace MAE_ISA

/// Where a part's tensors lie: [first, last).
struct tensor_range {
  index_t first = 0;
  index_t last = 0;

  void include(tensor_spec const& tensor) {
    if (last == 0) first = tensor.offset;
    last = tensor.offset + tensor.size();
  }
};

/// The partial sums of gradients that are a process's own, each laid out as the parameters, and the
/// sum of those of all processes.
template <class Network>
class partial_gradients {
  using B = typename Network::backend_type;
  using T = typename B::scalar;
  using parts_type = typename Network::parts_type;
  static constexpr std::size_t num_heads = Network::num_heads;

 public:
  struct partial_sum {
    partial_sum(parameter_layout const& layout, parts_type const& parts)
        : values(layout.size()), weights(bind_network(layout, parts, values.data())) {}

    typename B::buffer values;
    typename Network::gradients_type weights;
    bool is_empty = true;
  };

  /// A process without partial sums of its own has one, for the sum of all.
  partial_gradients(parameter_layout const& layout, parts_type const& parts, index_t own)
      : own_(own), size_(layout.size()) {
    for (index_t i = 0; i < std::max<index_t>(1, own); ++i) sums_.emplace_back(layout, parts);
    for (auto const& tensor : layout.tensors())
      for (std::size_t head = 0; head < num_heads; ++head)
        if (tensor.segment == parts_type::names()[head]) segments_[head].include(tensor);
  }

  index_t size() const { return std::ssize(sums_); }
  partial_sum& operator[](index_t i) { return sums_[static_cast<std::size_t>(i)]; }
  void clear() {
    for (auto& each : sums_) each.is_empty = true;
  }

  /// The reduced sum.
  std::span<T const> values() const {
    return {sums_.front().values.data(), static_cast<std::size_t>(size_)};
  }
  std::span<T> values() { return {sums_.front().values.data(), static_cast<std::size_t>(size_)}; }

  /// On the host, all cores at once: adds the partial sums of all processes, pair by pair in a
  /// fixed tree, and multiplies each head's tensors by its factor. Returns the squared norm of the
  /// sum.
  template <Exchange E>
  double reduce(B const& backend, E& exchange, std::array<double, num_heads> const& factors) {
    constexpr index_t grain = 1 << 14;
    squares_.assign(static_cast<std::size_t>(ceil_div(size_, grain)), 0.0);
    bool const is_alone = exchange.ranks() == 1;
    auto const finish = [&](index_t first, index_t last) {
      for_scaled(factors, first, last, [&](index_t begin, index_t end, T factor) {
        for (index_t i = begin; i < end; ++i) sums_.front().values.data()[i] *= factor;
      });
      squares_[static_cast<std::size_t>(first / grain)] =
          serial_block{}.template sum<double>(last - first, square_of(first));
    };
    backend.threads().for_ranges(size_, grain, [&](index_t first, index_t last, int /*worker*/) {
      add_up(first, last);
      if (is_alone) finish(first, last);
    });
    if (!is_alone) {
      sum_over_ranks(
          exchange, sums_.front().values.span().first(static_cast<std::size_t>(size_)), received_);
      backend.threads().for_ranges(
          size_, grain, [&](index_t first, index_t last, int /*worker*/) { finish(first, last); });
    }
    double total = 0;
    for (double const part : squares_) total += part;
    return total;
  }

  /// The same on a lane that is parallel, of which there is one: adds the squared norm to *total,
  /// in its memory.
  template <Lane L>
  void finish_on(L const& on, std::array<double, num_heads> const& factors, double* total) {
    assert(sums_.size() == 1);
    for_scaled(factors, 0, size_, [&](index_t begin, index_t end, T factor) {
      on.for_each(end - begin,
                  kernel::scale_element<T>{sums_.front().values.data() + begin, factor});
    });
    on.add_sum(size_, square_of(0), total);
  }

 private:
  kernel::square_element<T> square_of(index_t first) const {
    return {sums_.front().values.data() + first};
  }

  /// body(begin, end, factor) for what of [first, last) has another factor than 1.
  template <class Body>
  void for_scaled(std::array<double, num_heads> const& factors,
                  index_t first,
                  index_t last,
                  Body const& body) const {
    for (std::size_t head = 0; head < num_heads; ++head) {
      index_t const begin = std::max(first, segments_[head].first);
      index_t const end = std::min(last, segments_[head].last);
      if (factors[head] != 1 && begin < end) body(begin, end, static_cast<T>(factors[head]));
    }
  }

  /// values [first, last) of the process's own partial sums, into the first.
  void add_up(index_t first, index_t last) {
    if (own_ == 0)  // -0 is what changes no other's sum
      std::fill(sums_.front().values.data() + first, sums_.front().values.data() + last, -T{0});
    for (std::size_t step = 1; step < sums_.size(); step *= 2)
      for (std::size_t i = 0; i + step < sums_.size(); i += 2 * step)
        add_range(sums_[i].values.data(), sums_[i + step].values.data(), first, last);
  }

  static void add_range(T* sum, T const* other, index_t first, index_t last) {
    for (index_t i = first; i < last; ++i) sum[i] += other[i];
  }

  index_t own_;
  index_t size_;
  std::vector<partial_sum> sums_;
  std::array<tensor_range, num_heads> segments_;
  std::vector<double> squares_;
  std::vector<T> received_;  // of other processes, before it is added
};

}  // namespace mae
