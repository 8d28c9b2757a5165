#pragma once

#include <mae/backend/block.hpp>
#include <mae/backend/concept.hpp>
#include <mae/core/error.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/op/set_zero.hpp>
#include <mae/train/exchange.hpp>

#include <algorithm>
#include <array>
#include <bit>
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
  using gradients_type = typename Network::gradients_type;
  static constexpr std::size_t num_heads = Network::num_heads;

  struct memory {
    memory(parameter_layout const& layout, parts_type const& parts)
        : values(layout.size()), weights(bind_network(layout, parts, values.data())) {}

    typename B::buffer values;
    gradients_type weights;
  };
  struct partial_sum {
    std::size_t place = 0;  // the number of its memory
    bool is_empty = true;
  };

 public:
  /// Has memory for as many partial sums at once as rounds of `at_once` of them need; for all where
  /// these are all. A process without partial sums of its own has memory for the sum of all.
  partial_gradients(parameter_layout const& layout,
                    parts_type const& parts,
                    index_t own,
                    index_t at_once)
      : own_(own), size_(layout.size()), sums_(static_cast<std::size_t>(own)) {
    for (index_t i = 0; i < std::max<index_t>(1, memories_for(own, at_once)); ++i)
      memories_.emplace_back(layout, parts);
    plan_rounds(at_once);
    for (auto const& tensor : layout.tensors())
      for (std::size_t head = 0; head < num_heads; ++head)
        if (tensor.segment == parts_type::names()[head]) segments_[head].include(tensor);
  }

  /// How many partial sums have memory, where `at_once` of them are summed up and then what can be
  /// is added: before sum i there are as many as i has bits.
  static constexpr index_t memories_for(index_t sums, index_t at_once) {
    index_t most = 0;
    for (index_t i = 0; i < sums; i += at_once)
      most = std::max<index_t>(
          most, std::popcount(static_cast<std::size_t>(i)) + std::min(at_once, sums - i));
    return most;
  }

  void clear() {
    for (auto& each : sums_) each.is_empty = true;
    added_ = 0;
  }

  /// body(first, last) for the partial sums [first, last) of each round, which it may sum up in any
  /// order; what is done is added between rounds, on the host's threads. Each sum has the same
  /// memory in every step. Where there is more than one round, only once after each `clear`: throws
  /// config_error the second time.
  template <class Body>
  void for_rounds(thread_pool& threads, Body const& body) {
    if (added_ > 0)
      throw config_error(
          "a batch cannot be added to partial sums that are added to each other: a sum of several "
          "batches needs 'adds_once' false");
    index_t first = 0;
    for (index_t const last : rounds_) {
      body(first, last);
      zero_untouched(first, last);
      if (last < own_) {
        threads.for_ranges(size_, grain, [&](index_t begin, index_t end, int /*worker*/) {
          add_up(first, last, begin, end);
        });
        added_ = last;
      }
      first = last;
    }
  }

  /// The weights' gradients of partial sum i, for the thread that sums it up; zero at first.
  template <Lane L>
  gradients_type const& at(L const& lane, index_t i) {
    auto& sum = sums_[static_cast<std::size_t>(i)];
    auto& own = memories_[sum.place];
    if (sum.is_empty) set_zero(lane, own.values.span());
    sum.is_empty = false;
    return own.weights;
  }

  /// The reduced sum.
  std::span<T const> values() const {
    return {memories_.front().values.data(), static_cast<std::size_t>(size_)};
  }
  std::span<T> values() {
    return {memories_.front().values.data(), static_cast<std::size_t>(size_)};
  }

  /// On the host, all cores at once: adds the partial sums of all processes, pair by pair in a
  /// fixed tree, and multiplies each head's tensors by its factor. Returns the squared norm of the
  /// sum.
  template <Exchange E>
  double reduce(B const& backend, E& exchange, std::array<double, num_heads> const& factors) {
    squares_.assign(static_cast<std::size_t>(ceil_div(size_, grain)), 0.0);
    bool const is_alone = exchange.ranks() == 1;
    auto const finish = [&](index_t first, index_t last) {
      for_scaled(factors, first, last, [&](index_t begin, index_t end, T factor) {
        for (index_t i = begin; i < end; ++i) memories_.front().values.data()[i] *= factor;
      });
      squares_[static_cast<std::size_t>(first / grain)] =
          serial_block{}.template sum<double>(last - first, square_of(first));
    };
    backend.threads().for_ranges(size_, grain, [&](index_t first, index_t last, int /*worker*/) {
      if (own_ == 0)  // -0 is what changes no other's sum
        std::fill(
            memories_.front().values.data() + first, memories_.front().values.data() + last, -T{0});
      add_up(added_, own_, first, last);
      if (is_alone) finish(first, last);
    });
    if (!is_alone) {
      sum_over_ranks(exchange,
                     memories_.front().values.span().first(static_cast<std::size_t>(size_)),
                     received_);
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
    assert(memories_.size() == 1);
    for_scaled(factors, 0, size_, [&](index_t begin, index_t end, T factor) {
      on.for_each(end - begin,
                  kernel::scale_element<T>{memories_.front().values.data() + begin, factor});
    });
    on.add_sum(size_, square_of(0), total);
  }

 private:
  kernel::square_element<T> square_of(index_t first) const {
    return {memories_.front().values.data() + first};
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

  /// add(to, from) for what can be added when the partial sums [0, last) are done and could not
  /// when [0, first) were: neighbours first, pair by pair in a tree that depends on neither.
  template <class Add>
  void for_additions(index_t first, index_t last, Add const& add) const {
    for (index_t step = 1; step < own_; step *= 2)
      for (index_t i = 0; i + step < own_; i += 2 * step) {
        index_t const end = std::min(i + 2 * step, own_);  // of what is then in sum i
        if (first < end && end <= last)
          add(sums_[static_cast<std::size_t>(i)].place,
              sums_[static_cast<std::size_t>(i + step)].place);
      }
  }
  /// Makes these additions, of values [begin, end).
  void add_up(index_t first, index_t last, index_t begin, index_t end) {
    for_additions(first, last, [&](std::size_t to, std::size_t from) {
      add_range(memories_[to].values.data(), memories_[from].values.data(), begin, end);
    });
  }

  /// Partial sums of a round that have no shard are zero.
  void zero_untouched(index_t first, index_t last) {
    for (index_t i = first; i < last; ++i) {
      auto& sum = sums_[static_cast<std::size_t>(i)];
      if (sum.is_empty)
        for (T& value : memories_[sum.place].values.span()) value = T{0};
      sum.is_empty = false;
    }
  }

  /// As many partial sums a round as have memory, or of these a multiple of `at_once`, so that all
  /// who work end together.
  void plan_rounds(index_t at_once) {
    std::vector<std::size_t> free;
    for (std::size_t i = memories_.size(); i-- > 0;) free.push_back(i);
    for (index_t first = 0; first < own_;) {
      index_t count = std::min(own_ - first, std::ssize(free));
      if (first + count < own_) count -= count % at_once;
      for (index_t i = first; i < first + count; ++i) {
        sums_[static_cast<std::size_t>(i)].place = free.back();
        free.pop_back();
      }
      for_additions(first, first + count, [&](std::size_t /*to*/, std::size_t from) {
        free.push_back(from);
      });
      first += count;
      rounds_.push_back(first);
    }
  }

  static void add_range(T* sum, T const* other, index_t first, index_t last) {
    for (index_t i = first; i < last; ++i) sum[i] += other[i];
  }

  static constexpr index_t grain = 1 << 14;  // values that are added at once

  index_t own_;
  index_t size_;
  std::vector<memory> memories_;
  std::vector<partial_sum> sums_;  // own
  std::vector<index_t> rounds_;    // where each ends
  index_t added_ = 0;              // where what can be added of the sums before it is
  std::array<tensor_range, num_heads> segments_;
  std::vector<double> squares_;
  std::vector<T> received_;  // of other processes, before it is added
};

}  // namespace mae
