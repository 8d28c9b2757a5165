#pragma once

#include <mae/core/error.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/train/head_schedule.hpp>
#include <mae/train/options.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mae {

/// How much each head of a network counts in each step of a training: its weight, times its
/// schedule's factor, where it is its turn.
template <class Parts>
class scheduled_heads {
  static constexpr std::size_t num_heads = Parts::num_heads;

 public:
  using of_each_head = typename Parts::of_each_head;

  /// Throws config_error for a schedule of a head that the network does not have or that is off,
  /// where no head would be left at some time, and where the gradients of heads are to be compared
  /// and one alone is on.
  scheduled_heads(Parts const& parts, training_options const& options)
      : weights_(parts.weights), turns_(options.alternate) {
    for (auto const& schedule : options.head_schedules) {
      auto const names = Parts::names();
      auto const found = std::ranges::find(names, std::string_view(schedule.head));
      auto const head = static_cast<std::size_t>(found - names.begin());
      if (found == names.end() || !parts.is_on(head))
        throw config_error("a schedule names the head " + in_quotes(schedule.head) +
                           ", which the network does not have, or which has weight 0; it has " +
                           on_names(parts));
      schedules_.push_back({head, schedule});
    }
    require_heads();
    bool const compares = options.record_gradients > 0 || options.conflicts != conflict_rule::sum;
    if (compares && heads_on(parts).count() < 2)
      throw config_error(
          "to record how heads' gradients meet, or to let them not conflict, takes two heads that "
          "are on, and the network has " +
          on_names(parts) + " alone");
  }

  /// Heads whose weight is 0 in the step have no part in it.
  of_each_head weights(std::int64_t step, double progress) const {
    auto now = weights_;
    for (auto const& [head, schedule] : schedules_) now[head] *= schedule(progress);
    if (turns_ == 0) return now;
    std::vector<std::size_t> on;
    for (std::size_t head = 0; head < num_heads; ++head)
      if (now[head] > 0) on.push_back(head);
    auto const turn = static_cast<std::size_t>(step / turns_) % on.size();
    for (std::size_t i = 0; i < on.size(); ++i)
      if (i != turn) now[on[i]] = 0;
    return now;
  }

  /// Whether a head that is on has no part in some step.
  bool can_rest(std::size_t head) const {
    auto const zero = [](head_schedule::point const& at) {
      return at.factor == 0 && at.progress < 1;  // which no step has
    };
    bool const others = std::ranges::count(weights_, 0.0) + 1 < std::ssize(weights_);
    return (turns_ > 0 && others) || std::ranges::any_of(schedules_, [&](auto const& of) {
             return of.head == head && std::ranges::any_of(of.schedule.points, zero);
           });
  }

 private:
  struct of_head {
    std::size_t head = 0;
    head_schedule schedule = {};
  };

  static std::string on_names(Parts const& parts) {
    std::string names;
    for (std::size_t head = 0; head < num_heads; ++head)
      if (parts.is_on(head)) (names += names.empty() ? "" : ", ") += Parts::names()[head];
    return names;
  }

  /// Factors are linear between points and not negative: where all are 0, they are at a point too.
  void require_heads() const {
    std::vector<double> times{0};
    for (auto const& [head, schedule] : schedules_)
      for (auto const& at : schedule.points)
        if (at.progress < 1) times.push_back(at.progress);
    for (double const time : times) {
      auto now = weights_;
      for (auto const& [head, schedule] : schedules_) now[head] *= schedule(time);
      if (std::ranges::all_of(now, [](double weight) { return weight == 0; }))
        throw config_error("the schedules of the heads leave none at progress " +
                           decimal_text(time) + ": one must have a weight above 0");
    }
  }

  of_each_head weights_;
  index_t turns_;
  std::vector<of_head> schedules_;
};

}  // namespace mae
