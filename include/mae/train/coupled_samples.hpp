#pragma once

#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/coupled_step.hpp>
#include <mae/network/head.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/shard.hpp>
#include <mae/network/worker_pass.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/options.hpp>

#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace mae {

/// Images [first, last).
struct image_range {
  index_t first = 0;
  index_t last = 0;

  constexpr index_t size() const { return last - first; }
};

/// The heads that are on and ask what the moving average of the network says.
template <class... Heads>
std::bitset<sizeof...(Heads)> heads_asking_average(network_parts<Heads...> const& parts) {
  std::bitset<sizeof...(Heads)> asking;
  std::size_t number = 0;
  auto const ask = [&](auto const& head) {
    asking.set(number, parts.is_on(number) && asks_average(head));
    ++number;
  };
  std::apply([&](auto const&... heads) { (ask(heads), ...); }, parts.heads);
  return asking;
}

/// What the heads that couple images say of all samples of a step, of all processes, and the
/// gradients of their losses for it: in the host's memory, a few numbers a sample.
template <class T, class Parts>
class coupled_samples;

template <class T, class... Heads>
class coupled_samples<T, network_parts<Heads...>> {
  static constexpr std::size_t num_heads = sizeof...(Heads);
  using each_head = std::index_sequence_for<Heads...>;

 public:
  /// Room for steps of so many samples.
  coupled_samples(network_parts<Heads...> const& parts, index_t images)
      : images_(images), asking_average_(heads_asking_average(parts)) {
    reserve(each_head{}, parts);
  }

  static constexpr std::bitset<num_heads> heads() {
    unsigned long long bits = 0;
    std::size_t number = 0;
    ((bits |= couples_samples<Heads> ? 1ULL << number : 0ULL, ++number), ...);
    return bits;
  }

  /// The heads that ask what the moving average of the network says.
  std::bitset<num_heads> const& asking_average() const { return asking_average_; }

  /// Begins a new step: -0 is what changes no other process's rows.
  void clear() {
    for (auto& head : heads_) {
      std::ranges::fill(head.z, -T{0});
      std::ranges::fill(head.averaged, -T{0});
    }
  }
  /// The rows of these images of the step (images, label width).
  matrix_view<T> z(std::size_t head, image_range const& images) {
    auto& of = heads_[head];
    return {of.z.data() + images.first * of.width, images.size(), of.width};
  }
  /// Likewise those of the average, of a head that asks for them.
  matrix_view<T> averaged(std::size_t head, image_range const& images) {
    auto& of = heads_[head];
    return {of.averaged.data() + images.first * of.width, images.size(), of.width};
  }
  matrix_view<T const> gradient(std::size_t head, image_range const& images) const {
    auto const& of = heads_[head];
    return {of.gradient.data() + images.first * of.width, images.size(), of.width};
  }

  /// The loss of each active head that couples images, with its gradients, when this process has
  /// said all of its own images, of these numbers in the dataset. What a head draws is the step's:
  /// of the stream of `key` and the head's number.
  template <Exchange E>
  std::array<double, num_heads> couple(network_parts<Heads...> const& parts,
                                       std::bitset<num_heads> const& active,
                                       stream_key const& key,
                                       E& exchange,
                                       std::span<image_index const> images = {},
                                       key_queue const* earlier = nullptr) {
    std::array<double, num_heads> losses{};
    images_of_step_.assign(images.begin(), images.end());
    couple_each(each_head{}, parts, active, key, exchange, earlier, losses);
    return losses;
  }

  /// Adds the keys of the step that was coupled last, of active heads that keep some.
  void remember(network_parts<Heads...> const& parts,
                std::bitset<num_heads> const& active,
                key_queue& earlier) const {
    std::size_t number = 0;
    auto const ask = [&](auto const& head) {
      std::size_t const mine = number++;
      if constexpr (requires { head.queue; })
        if (parts.is_on(mine) && active[mine] && head.queue > 0) {
          random_stream unused({});
          head.remember(step_of(mine, unused, &earlier), earlier);
        }
    };
    std::apply([&](auto const&... heads) { (ask(heads), ...); }, parts.heads);
  }

 private:
  struct of_head {
    index_t width = 0;
    std::vector<T> z, gradient;  // (images, width)
    std::vector<T> averaged;     // likewise; empty where nobody asks for it
  };

  coupled_step<T> step_of(std::size_t head, random_stream& random, key_queue const* earlier) const {
    auto const& mine = heads_[head];
    index_t const rows = mine.averaged.empty() ? 0 : images_;
    return {random, {mine.averaged.data(), rows, mine.width}, images_of_step_, earlier};
  }

  template <std::size_t... I>
  void reserve(std::index_sequence<I...> /*each*/, network_parts<Heads...> const& parts) {
    (reserve_one<I>(parts), ...);
  }
  template <std::size_t I>
  void reserve_one(network_parts<Heads...> const& parts) {
    auto const& head = std::get<I>(parts.heads);
    if constexpr (couples_samples<std::remove_cvref_t<decltype(head)>>)
      if (parts.is_on(I)) {
        auto const size = static_cast<std::size_t>(images_ * head.label_width());
        heads_[I] = {head.label_width(),
                     std::vector<T>(size),
                     std::vector<T>(size),
                     std::vector<T>(asking_average_[I] ? size : 0)};
      }
  }

  template <std::size_t... I, class E>
  void couple_each(std::index_sequence<I...> /*each*/,
                   network_parts<Heads...> const& parts,
                   std::bitset<num_heads> const& active,
                   stream_key const& key,
                   E& exchange,
                   key_queue const* earlier,
                   std::array<double, num_heads>& losses) {
    ((heads_[I].width > 0 && active[I] ? couple_one<I>(parts, key, exchange, earlier, losses[I])
                                       : void()),
     ...);
  }
  template <std::size_t I, class E>
  void couple_one(network_parts<Heads...> const& parts,
                  stream_key key,
                  E& exchange,
                  key_queue const* earlier,
                  double& loss) {
    auto const& head = std::get<I>(parts.heads);
    auto& mine = heads_[I];
    if constexpr (couples_samples<std::remove_cvref_t<decltype(head)>>) {
      sum_over_ranks(exchange, std::span(mine.z), received_);  // others' rows are -0 here
      if (asking_average_[I]) sum_over_ranks(exchange, std::span(mine.averaged), received_);
      key.view = static_cast<std::uint8_t>(I);
      random_stream random(key);
      loss = detail::couple(head,
                            matrix_view<T const>(mine.z.data(), images_, mine.width),
                            matrix_view<T>(mine.gradient.data(), images_, mine.width),
                            step_of(I, random, earlier));
    }
  }

  index_t images_;
  std::array<of_head, num_heads> heads_;
  std::bitset<num_heads> asking_average_;
  std::vector<image_index> images_of_step_;  // the last that was coupled, by their numbers
  std::vector<T> received_;
};

/// Throws config_error where a head is to compare with more earlier keys than a dataset has images,
/// where more than one keeps some, and where a head's own require_images refuses so many.
template <class... Heads>
void require_queue(network_parts<Heads...> const& parts, index_t images) {
  std::size_t number = 0;
  int queues = 0;
  auto const require = [&](auto const& head) {
    if (!parts.is_on(number++)) return;
    if constexpr (requires { head.require_images(images); }) head.require_images(images);
    if (queue_size(head) > 0 && ++queues > 1)
      throw config_error("the head " + std::string(head.name) +
                         " is the second that keeps earlier keys, and a training keeps one "
                         "head's: set its queue to 0");
    if (queue_size(head) > images)
      throw config_error("the head " + std::string(head.name) + " is to compare with " +
                         std::to_string(queue_size(head)) + " earlier keys, and there are " +
                         std::to_string(images) +
                         " images: take a queue no longer than the dataset");
  };
  std::apply([&](auto const&... heads) { (require(heads), ...); }, parts.heads);
}

/// Throws config_error for steps of so many images where a head couples them: that takes two; and
/// where a head compares another number of each image's views, or no head learns from those that
/// are not painted, or one predicts their visible patches or learns from what is painted of them.
template <class Network>
void require_samples(typename Network::parts_type const& parts,
                     index_t images,
                     training_options const& options) {
  for (std::size_t head = 0; head < Network::num_heads; ++head)
    if (Network::coupling[head] && parts.is_on(head) && images < 2)
      throw config_error("the head " + std::string(parts.names()[head]) +
                         " couples the images of a step, and a step has one: take larger batches");
  std::size_t number = 0;
  auto const require_views = [&](auto const& head) {
    bool const is_on = parts.is_on(number++);
    if constexpr (requires { head.views; })
      if (is_on && head.views != options.views)
        throw config_error("the head " + std::string(head.name) + " compares " +
                           std::to_string(head.views) +
                           " views of each image, and the training makes " +
                           std::to_string(options.views) + ": set training_options::views");
  };
  std::apply([&](auto const&... heads) { (require_views(heads), ...); }, parts.heads);
  if (options.painted_samples() == options.samples()) return;
  if (detail::predicted_by(parts) == predicted_patches::all_present)
    throw config_error(
        "visible patches are predicted of every view, and some are not to be painted: set "
        "visible_weight or training_options::painted_views to 0");
  for (std::size_t head = 0; head < Network::num_heads; ++head)
    if (Network::hearing[head] && parts.is_on(head))
      throw config_error("the head " + std::string(parts.names()[head]) +
                         " learns from what is painted of every view, and some are not to be "
                         "painted: set training_options::painted_views to 0");
  number = 0;
  auto const learns_unpainted = [&](auto const& head) {
    return parts.is_on(number++) && (couples_samples<std::remove_cvref_t<decltype(head)>> ||
                                     head.label_rows(shard_capacity::exactly(1, 1, 0)) > 0);
  };
  auto const any = [&](auto const&... heads) { return (0 + ... + learns_unpainted(heads)) > 0; };
  if (!std::apply(any, parts.heads))
    throw config_error(
        "no head learns from the views that are not painted: add one that compares views, as "
        "contrast, or set training_options::painted_views to 0");
}

}  // namespace mae
