#include "chosen_mask.hpp"

#include "mask_file.hpp"

#include <mae/core/views.hpp>
#include <mae/data/augment.hpp>
#include <mae/mask/measure_levels.hpp>
#include <mae/mask/none.hpp>
#include <mae/mask/patch_levels.hpp>
#include <mae/mask/ramped.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/mask/saliency.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/masks.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace pretrain {

struct chosen_mask::any {
  std::variant<mae::uniform_mask<>,
               mae::ramped_mask,
               mae::random_ratio_mask,
               mae::saliency_mask,
               mae::block_mask,
               mae::grid_mask,
               mae::column_mask,
               mae::fixed_mask,
               mae::density_mask,
               mae::batch_density_mask,
               mae::loss_density_mask,
               mae::level_mask,
               mae::learned_mask,
               mae::sampling_mask,
               mae::gate_mask,
               mae::no_mask>
      policy;
};

namespace {

template <class Mask>
constexpr bool learns_by_type = mae::LearningMask<std::remove_cvref_t<Mask>>;

/// What a learning policy does; `otherwise` for another.
template <class Policy, class Value, class Do>
Value of_learning(Policy& policy, Value otherwise, Do const& what) {
  return std::visit(
      [&](auto& mask) -> Value {
        if constexpr (learns_by_type<decltype(mask)>)
          return what(mask);
        else
          return otherwise;
      },
      policy);
}

}  // namespace

chosen_mask::chosen_mask(any mask) : any_(std::make_unique<any>(std::move(mask))) {
  using names = std::vector<char const*>;
  state_names = of_learning(any_->policy, names{}, [](auto const& learning) {
    return names(learning.state_names.begin(), learning.state_names.end());
  });
}
chosen_mask::chosen_mask(chosen_mask const& other) : chosen_mask(*other.any_) {}
chosen_mask::chosen_mask(chosen_mask&&) noexcept = default;
chosen_mask& chosen_mask::operator=(chosen_mask const& other) {
  return *this = chosen_mask(other);
}
chosen_mask& chosen_mask::operator=(chosen_mask&&) noexcept = default;
chosen_mask::~chosen_mask() = default;

mae::index_t chosen_mask::max_visible(mae::index_t patches) const {
  return std::visit([&](auto const& mask) { return mask.max_visible(patches); }, any_->policy);
}
mae::mask_counts chosen_mask::counts(mae::mask_context const& image,
                                     mae::random_stream& random) const {
  return std::visit([&](auto const& mask) { return mask.counts(image, random); }, any_->policy);
}
void chosen_mask::score(mae::mask_context const& image,
                        mae::random_stream& random,
                        std::span<float> scores) const {
  std::visit([&](auto const& mask) { mask.score(image, random, scores); }, any_->policy);
}
mae::settings_list chosen_mask::settings() const {
  return std::visit([](auto const& mask) { return mask.settings(); }, any_->policy);
}

mae::index_t chosen_mask::num_sums() const {
  return of_learning(
      any_->policy, mae::index_t{0}, [](auto const& mask) { return mask.num_sums(); });
}
void chosen_mask::add_gradient(mae::mask_feedback const& told, std::span<double> sums) const {
  of_learning(any_->policy, false, [&](auto const& mask) {
    mask.add_gradient(told, sums);
    return true;
  });
}
void chosen_mask::update(std::span<double const> sums, mae::index_t images) {
  of_learning(any_->policy, false, [&](auto& mask) {
    mask.update(sums, images);
    return true;
  });
}
std::span<float const> chosen_mask::state(std::size_t k) const {
  return of_learning(std::as_const(any_->policy), std::span<float const>(), [k](auto const& mask) {
    return mask.state(k);
  });
}
std::span<float> chosen_mask::state(std::size_t k) {
  return of_learning(any_->policy, std::span<float>(), [k](auto& mask) { return mask.state(k); });
}

bool chosen_mask::counts_with_batch() const {
  return std::holds_alternative<mae::batch_density_mask>(any_->policy);
}
double chosen_mask::wish(mae::mask_context const& image) const {
  return std::get<mae::batch_density_mask>(any_->policy).wish(image);
}
void chosen_mask::counts_of_batch(std::span<double const> wishes,
                                  mae::index_t patches,
                                  std::span<mae::index_t> visible) const {
  std::get<mae::batch_density_mask>(any_->policy).counts_of_batch(wishes, patches, visible);
}

bool chosen_mask::asks_slopes() const {
  return of_learning(any_->policy, false, [](auto const& mask) { return mae::asks_slopes(mask); });
}
bool chosen_mask::weighs_targets() const {
  return of_learning(
      any_->policy, false, [](auto const& mask) { return mae::weighs_targets(mask); });
}
bool chosen_mask::needs_squared_losses() const {
  return of_learning(
      any_->policy, false, [](auto const& mask) { return mae::needs_squared_losses(mask); });
}
void chosen_mask::weigh(mae::mask_context const& image,
                        std::span<mae::patch_index const> targets,
                        std::span<float> weights) const {
  if (auto const* const gates = std::get_if<mae::gate_mask>(&any_->policy))
    gates->weigh(image, targets, weights);
}

bool chosen_mask::hides_nothing() const {
  return std::holds_alternative<mae::no_mask>(any_->policy);
}
bool chosen_mask::is_worth_showing() const {
  auto const& policy = any_->policy;
  return !std::holds_alternative<mae::uniform_mask<>>(policy) &&
         !std::holds_alternative<mae::ramped_mask>(policy) &&
         !std::holds_alternative<mae::random_ratio_mask>(policy) &&
         !std::holds_alternative<mae::fixed_mask>(policy) && !hides_nothing() &&
         !std::holds_alternative<mae::loss_density_mask>(policy);  // knows images by their numbers
}
bool chosen_mask::knows_hardness() const {
  return num_sums() > 0 && !std::holds_alternative<mae::loss_density_mask>(any_->policy);
}
void chosen_mask::hardness(mae::mask_context const& image, std::span<float> numbers) const {
  of_learning(any_->policy, false, [&](auto const& mask) {
    if constexpr (requires { mask.hardness(image, numbers); })
      mask.hardness(image, numbers);
    else if constexpr (requires { mask.gates(image, numbers); })
      mask.gates(image, numbers);
    return true;
  });
}
std::optional<double> chosen_mask::number(std::string_view name) const {
  for (std::size_t k = 0; k < state_names.size(); ++k)
    if (name == state_names[k] && state(k).size() == 1) return state(k)[0];
  return std::nullopt;
}
bool chosen_mask::has_gates() const {
  return std::holds_alternative<mae::gate_mask>(any_->policy);
}

namespace {

/// The images that a distribution is measured on: all, or so many at even distances, since folders
/// are read class after class.
mae::index_t measured_images(image_set const& images) {
  constexpr mae::index_t most = 20'000;
  return std::min(images.size(), most);
}

/// Reads one of them as the training crops it.
auto crop_reader(options const& settings, image_set const& images) {
  return [&settings, &images](mae::index_t i, std::span<float> pixels) {
    mae::index_t const index = i * images.size() / measured_images(images);
    std::vector<float> stored(pixels.size());
    images.read(index, stored);
    mae::random_stream random({.seed = settings.seed,
                               .use = mae::purpose::augment,
                               .index = static_cast<std::uint64_t>(index)});
    mae::augmenter vary(images.extent(), settings.augment);
    vary(stored, random, pixels);
  };
}

mae::saliency_mask measured_saliency_mask(options const& settings,
                                          image_set const& images,
                                          mae::patch_extent const& patch,
                                          mae::thread_pool& threads) {
  return mae::saliency_mask({.strength = settings.saliency_strength,
                             .ratio = settings.mask_ratio,
                             .training = mae::measure_saliency(measured_images(images),
                                                               images.extent(),
                                                               patch,
                                                               crop_reader(settings, images),
                                                               threads)});
}

/// Of pixels, where it is one.
mae::density_measure measure_of(density_choice choice) {
  if (choice == density_choice::gradient) return mae::density_measure::gradient;
  if (choice == density_choice::entropy) return mae::density_measure::entropy;
  return mae::density_measure::variance;
}

mae::density_mask_options measured_density(options const& settings,
                                           image_set const& images,
                                           mae::patch_extent const& patch,
                                           mae::thread_pool& threads) {
  auto const measure = measure_of(settings.mask_measure);
  return {.ratio = settings.mask_ratio,
          .swing = settings.mask_swing,
          .measure = measure,
          .training = mae::measure_density(measure,
                                           measured_images(images),
                                           images.extent(),
                                           patch,
                                           crop_reader(settings, images),
                                           threads)};
}

mae::loss_density_mask density_by_losses(options const& settings, image_set const& images) {
  return mae::loss_density_mask(
      {.ratio = settings.mask_ratio,
       .swing = settings.mask_swing,
       .images = images.size(),
       .samples = settings.batch_size * settings.accumulate * settings.views});
}

/// The steps of an epoch, or 0 for the whole training.
std::int64_t period_of(options const& settings, image_set const& images) {
  if (settings.mask_period == mask_period_choice::training) return 0;
  auto const of_step = settings.batch_size * settings.accumulate;
  return std::max<std::int64_t>(1, images.size() / of_step);
}

template <class Mask>
chosen_mask chosen_mask_of(Mask mask) {
  return chosen_mask(chosen_mask::any{std::move(mask)});
}

chosen_mask by_density(options const& o,
                       image_set const& images,
                       mae::model_config const& config,
                       mae::thread_pool& threads) {
  if (o.mask_measure == density_choice::loss) return chosen_mask_of(density_by_losses(o, images));
  auto const measured = measured_density(o, images, config.patch, threads);
  if (o.mask_budget == mask_budget_choice::batch)
    return chosen_mask_of(mae::batch_density_mask(measured));
  return chosen_mask_of(mae::density_mask(measured));
}

/// A mask whose network learns.
chosen_mask learning(options const& o, mae::model_config const& config) {
  mae::patch_scorer_options const network{.lr = o.mask_lr, .seed = o.seed};
  if (o.mask == mask_choice::learned)
    return chosen_mask_of(
        mae::learned_mask(config,
                          {.ratio = o.mask_ratio,
                           .decided = o.mask_decided,
                           .hard = o.mask_hard.value_or(mae::hard_patches::hidden),
                           .network = network}));
  if (o.mask == mask_choice::sampling)
    return chosen_mask_of(
        mae::sampling_mask(config,
                           {.ratio = o.mask_ratio,
                            .hard = o.mask_hard.value_or(mae::hard_patches::shown),
                            .entropy = o.mask_entropy,
                            .network = network}));
  return chosen_mask_of(mae::gate_mask(config,
                                       {.ratio = o.mask_ratio,
                                        .hard = o.mask_hard.value_or(mae::hard_patches::shown),
                                        .weighs = o.mask_targets == target_weights::weighed,
                                        .entropy = o.mask_entropy,
                                        .network = network}));
}

}  // namespace

mae::patch_levels make_levels(options const& settings,
                              image_set const& images,
                              mae::model_config const& config,
                              mae::patch_levels const& known,
                              mae::thread_pool& threads) {
  if (settings.density_token == 0) return {};
  auto const measure = measure_of(settings.mask_measure);
  auto levels = known;
  if (known.count() != settings.density_token || known.measure != measure)
    levels = mae::measure_levels(settings.density_token,
                                 measure,
                                 measured_images(images),
                                 images.extent(),
                                 config.patch,
                                 crop_reader(settings, images),
                                 threads);
  levels.told = settings.density_token_at;
  return levels;
}

chosen_mask make_mask(options const& settings,
                      image_set const& images,
                      mae::model_config const& config,
                      mae::thread_pool& threads) {
  auto const& o = settings;
  switch (o.mask) {
    case mask_choice::ramped:
      return chosen_mask_of(mae::ramped_mask(
          {.from = o.mask_from, .to = o.mask_to, .begins = o.ramp_begins, .ends = o.ramp_ends}));
    case mask_choice::random:
      return chosen_mask_of(mae::random_ratio_mask({.low = o.mask_from, .high = o.mask_to}));
    case mask_choice::saliency:
      return chosen_mask_of(measured_saliency_mask(o, images, config.patch, threads));
    case mask_choice::block:
      return chosen_mask_of(mae::block_mask(o.mask_ratio));
    case mask_choice::grid:
      return chosen_mask_of(mae::grid_mask(o.mask_ratio));
    case mask_choice::column:
      return chosen_mask_of(mae::column_mask(o.mask_ratio, config.grid_columns()));
    case mask_choice::file:
      return chosen_mask_of(
          read_masks(o.mask_file, config.num_patches(), images.size(), o.more_masks));
    case mask_choice::density:
      return by_density(o, images, config, threads);
    case mask_choice::levels:
      return chosen_mask_of(mae::level_mask({.from = o.levels_from,
                                             .to = o.levels_to,
                                             .period = period_of(o, images),
                                             .measure = measure_of(o.mask_measure)}));
    case mask_choice::learned:
    case mask_choice::sampling:
    case mask_choice::gate:
      return learning(o, config);
    case mask_choice::none:
      return chosen_mask_of(mae::no_mask{});
    case mask_choice::uniform:
      break;
  }
  return chosen_mask_of(mae::uniform_mask<>(o.mask_ratio));
}

}  // namespace pretrain
