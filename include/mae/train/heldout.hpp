#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/pixel_noise.hpp>
#include <mae/mask/none.hpp>
#include <mae/mask/per_head.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/worker_pass.hpp>
#include <mae/train/batch_loader.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/head_passes.hpp>
#include <mae/train/head_shares.hpp>
#include <mae/train/mixable.hpp>
#include <mae/train/report.hpp>
#include <mae/train/step_sums.hpp>
#include <mae/train/trainable.hpp>
#include <mae/train/training_batch.hpp>

#include <algorithm>
#include <array>
#include <bitset>
#include <concepts>
#include <cstddef>
#include <functional>
#include <iterator>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

namespace mae {

/// A held-out loss, and what each head adds to it times its weight: the mean over its counted rows,
/// of which one that couples images has none.
template <std::size_t NumHeads>
struct heldout_heads {
  heldout_loss sum = {};
  std::array<head_report, NumHeads> heads = {};
};

/// Runs batches forward only, shards in parallel.
template <class Network>
class shard_loss {
  using B = typename Network::backend_type;
  using T = typename B::scalar;
  static constexpr std::size_t num_heads = Network::num_heads;

 public:
  using of_each_head = std::array<double, num_heads>;

  shard_loss(typename Network::parts_type const& parts, B const& backend, index_t tokens)
      : backend_(backend),
        active_(heads_on(parts)),
        per_shard_(B::shards.images_of(tokens)),
        passes_(backend.num_workers(), backend, parts, pass_kind::inference) {
    for (std::size_t head = 0; head < num_heads; ++head)
      if (Network::coupling[head]) active_.reset(head);
  }

  bool has_none() const { return active_.none(); }
  /// The summed losses of a batch, in the order of its shards, of those of `heads` that couple no
  /// images.
  of_each_head operator()(typename Network::operands_type const& weights,
                          training_batch<T, num_heads> const& batch,
                          std::bitset<num_heads> const& heads) {
    losses_.assign(static_cast<std::size_t>(ceil_div(batch.images(), per_shard_)), {});
    backend_.for_each(std::ssize(losses_), [&](index_t number, int worker) {
      index_t const first = number * per_shard_;
      index_t const last = std::min(first + per_shard_, batch.images());
      auto& mine = passes_[worker];
      auto const in = mine.bring(batch.plan,
                                 first,
                                 last,
                                 batch.patches_of(first, last),
                                 batch.labels_of(first, last),
                                 {},
                                 predicted_patches::targets,
                                 batch.row_weights_of(first, last));
      losses_[static_cast<std::size_t>(number)] = mine.losses(weights, in, active_ & heads);
    });
    of_each_head sum{};
    for (auto const& losses : losses_)
      std::ranges::transform(sum, losses, sum.begin(), std::plus<>{});
    return sum;
  }

 private:
  B const& backend_;
  std::bitset<num_heads> active_;
  index_t per_shard_;
  worker_passes<Network> passes_;
  std::vector<of_each_head> losses_;
};

namespace detail {

template <class M>
struct heldout_mask {
  using type = std::conditional_t<std::same_as<M, no_mask>, no_mask, uniform_mask<ratio{3, 4}>>;
};
template <class... Masks>
struct heldout_mask<per_head_mask<Masks...>> {
  using type = per_head_mask<typename heldout_mask<Masks>::type...>;
};

/// Of a policy that says at run time whether it hides nothing.
struct heldout_choice {
  bool is_whole = false;
  uniform_mask<ratio{3, 4}> masked = {};

  index_t max_visible(index_t patches) const {
    return is_whole ? patches : masked.max_visible(patches);
  }
  mask_counts counts(mask_context const& image, random_stream& random) const {
    return is_whole ? no_mask::counts(image, random) : masked.counts(image, random);
  }
  void score(mask_context const& image, random_stream& random, std::span<float> scores) const {
    masked.score(image, random, scores);
  }
};

/// The policy for held-out images of a training by `mask`.
template <class M>
auto heldout_mask_of(M const& mask) {
  if constexpr (requires { mask.hides_nothing(); })
    return heldout_choice{.is_whole = mask.hides_nothing()};
  else
    return typename heldout_mask<M>::type{};
}

/// Throws config_error where a head that is on has no row since it learns from noise, and there is
/// none: a denoiser, or a painter of visible patches of which none is hidden.
template <class... Heads>
void require_heldout_noise(network_parts<Heads...> const& parts,
                           std::array<double, sizeof...(Heads)> const& counted) {
  std::size_t number = 0;
  auto const require = [&](auto const& head) {
    std::size_t const mine = number++;
    if (!parts.is_on(mine) || counted[mine] > 0) return;
    bool needs_noise = learns_noise<std::remove_cvref_t<decltype(head)>>;
    if constexpr (requires { head.predicts(); })
      needs_noise = head.predicts() == predicted_patches::all_present;
    if (needs_noise)
      throw config_error("the head " + std::string(parts.names()[mine]) +
                         " learns from noise here: give evaluate_heldout some, as its fourth "
                         "argument");
  };
  std::apply([&](auto const&... heads) { (require(heads), ...); }, parts.heads);
}

/// What was found, of the losses' sums.
template <class Parts>
heldout_heads<Parts::num_heads> heldout_of(Parts const& parts,
                                           std::array<double, Parts::num_heads> const& losses,
                                           bool has_noise,
                                           step_sums<Parts>& sums) {
  alone here;
  auto const counted = sums.counted(here, {});
  if (!has_noise) require_heldout_noise(parts, counted);
  shares_of(parts, parts.weights, counted);
  step_report report;
  sums.report(losses, counted, report);
  heldout_heads<Parts::num_heads> found{.sum = {report.loss, report.baseline}};
  std::ranges::copy(report.heads, found.heads.begin());
  return found;
}

}  // namespace detail

/// The loss on the first `images` images of a dataset (0: all of them), but for heads that couple
/// images, with each head's (heldout_heads). Each image has one fixed uniform 75% mask, whatever
/// the training's policy, and no augmentation, so that trainings with different masks can be
/// compared; only what is trained on whole images (no_mask, or a policy whose hides_nothing() is
/// true) is evaluated on whole ones. What the encoder sees is as it is, whatever noise the training
/// had, unless some is asked for: then each image has one fixed noise, for all models. The same
/// bits for any number of threads. Throws config_error for a dataset without images or of another
/// extent than the model's, for one without a label from which any head could learn, and without
/// noise where a head learns from it.
template <Trainable Model, Dataset D>
auto evaluate_heldout_heads(Model const& model,
                            D const& dataset,
                            index_t images = 0,
                            pixel_noise const& noise = {}) {
  using T = typename Model::scalar;
  using network = typename Model::network_type;
  auto const mask = detail::heldout_mask_of(model.mask());
  using mask_type = std::remove_const_t<decltype(mask)>;
  constexpr index_t chunk = 512;  // images in memory at once
  if (dataset.size() < 1) throw config_error("a dataset without images has no held-out loss");
  require_valid(noise);
  batch_loader<D,
               mask_type,
               typename network::parts_type,
               std::remove_cvref_t<decltype(model.label_makers())>,
               T>
      loader(dataset,
             mask,
             model.sizes(),
             model.label_makers(),
             model.statistics(),
             batch_options{.mask_purpose = purpose::heldout_mask,
                           .augment = std::nullopt,
                           .noise = noise,
                           .noise_purpose = purpose::heldout_noise},
             model.backend().threads());
  typename network::prepared_type prepared(pass_kind::inference);
  auto const& operands = prepared.update(model.sizes(), model.weights(), model.backend());
  shard_loss<network> shards(
      model.sizes(), model.backend(), mask.max_visible(model.sizes().config.num_patches()) + 1);

  index_t const count = images > 0 ? std::min(images, dataset.size()) : dataset.size();
  std::vector<image_index> numbers;
  auto const passes = passes_of(mask, heads_on(model.sizes()));
  std::vector<training_batch<T, network::num_heads>> batches(passes.size());
  step_sums sums(model.sizes());
  typename shard_loss<network>::of_each_head losses{};
  alone here;
  for (index_t first = 0; first < count; first += chunk) {
    numbers.resize(static_cast<std::size_t>(std::min(chunk, count - first)));
    std::iota(numbers.begin(), numbers.end(), static_cast<image_index>(first));
    for (std::size_t pass = 0; pass < passes.size(); ++pass) {
      auto& batch = batches[pass];
      loader.load(numbers, {}, batch, passes[pass]);
      auto const found = shards(operands, batch, passes[pass]);
      std::ranges::transform(losses, found, losses.begin(), std::plus<>{});
      sums.count(here, batch, 0, batch.images());
      sums.add_zero_losses(here, loader, batch, 0, batch.images());
    }
  }
  if (shards.has_none())
    throw config_error("all heads of the model couple images: there is no held-out loss of them");
  return detail::heldout_of(model.sizes(), losses, noise.is_on(), sums);
}

/// Likewise the weighted sum of all heads' alone.
template <Trainable Model, Dataset D>
heldout_loss evaluate_heldout(Model const& model,
                              D const& dataset,
                              index_t images = 0,
                              pixel_noise const& noise = {}) {
  return evaluate_heldout_heads(model, dataset, images, noise).sum;
}

}  // namespace mae
