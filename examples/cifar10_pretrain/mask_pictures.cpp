#include "mask_pictures.hpp"

#include "heat.hpp"
#include "picture.hpp"
#include "png_file.hpp"
#include "reconstructions.hpp"

#include <mae/core/random.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>
#include <mae/patch/patchify.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

namespace pretrain {
namespace {

using mae::index_t;

constexpr index_t shown_images = 8;
constexpr index_t counted_images = 256;
constexpr index_t strip_width = 96;

/// Asks a policy for the mask of one image after another, as a training does that stands here.
class mask_asker {
 public:
  mask_asker(training_task const& task, double epoch)
      : task_(task),
        config_(task.config()),
        epoch_(static_cast<index_t>(epoch)),
        cut_(static_cast<std::size_t>(config_.image.values())),
        scores_(static_cast<std::size_t>(config_.num_patches())),
        plan_(1, config_.num_patches()) {}

  /// `pixels` as they are stored.
  mae::mask_plan const& plan_of(std::span<float const> pixels, index_t number) {
    auto const image = context_of(pixels, number);
    mae::random_stream random({.use = mae::purpose::mask,
                               .epoch = static_cast<std::uint32_t>(epoch_),
                               .index = static_cast<std::uint64_t>(number)});
    mae::plan_image(plan_, 0, task_.mask(), image, random, scores_);
    return plan_;
  }
  std::span<float const> hardness_of(std::span<float const> pixels, index_t number) {
    task_.mask().hardness(context_of(pixels, number), scores_);
    return scores_;
  }

 private:
  mae::mask_context context_of(std::span<float const> pixels, index_t number) {
    mae::matrix_view<float> const patches(
        cut_.data(), config_.num_patches(), config_.patch_values());
    mae::patchify(pixels, config_.image, config_.patch, patches);
    return {.patches = patches,
            .channels = config_.image.channels,
            .grid_rows = config_.grid_rows(),
            .grid_columns = config_.grid_columns(),
            .patch_width = config_.patch.width,
            .step = task_.step(),
            .epoch = epoch_,
            .progress = static_cast<double>(task_.step()) /
                        static_cast<double>(std::max<std::int64_t>(1, task_.total_steps())),
            .dataset_index = static_cast<std::uint64_t>(number)};
  }

  training_task const& task_;
  mae::model_config config_;
  index_t epoch_;
  std::vector<float> cut_;
  std::vector<float> scores_;
  mae::mask_plan plan_;
};

/// How many images hide about so much.
chart histogram_of(std::vector<double> const& shares) {
  constexpr int bins = 20;
  std::vector<int> counts(bins + 1);
  for (double const share : shares) ++counts[static_cast<std::size_t>(std::lround(share * bins))];
  chart_series series{"images", "#1f77b4", series_style::line_with_points, {}};
  for (int i = 0; i <= bins; ++i)
    series.points.push_back(
        {static_cast<double>(i) / bins, static_cast<double>(counts[static_cast<std::size_t>(i)])});
  return {"How much of an image is hidden", "hidden share", "images", {std::move(series)}};
}

}  // namespace

void mask_pictures::take(page_strip strip, std::int64_t step) {
  if (!masked_.take(strip, step)) hardness_.take(strip, step);
}

void mask_pictures::add(training_task const& task, image_set const& images, double epoch) {
  if (!task.mask().is_worth_showing()) return;
  index_t const count = std::min(counted_images, images.size());
  auto const& config = task.config();
  mask_asker ask(task, epoch);
  std::vector<float_image> masked;
  std::vector<float_image> heats;
  shares_.clear();
  float_image image{config.image,
                    std::vector<float>(static_cast<std::size_t>(images.extent().values()))};
  for (index_t i = 0; i < count; ++i) {
    images.read(i, image.values);
    auto const& plan = ask.plan_of(image.values, i);
    shares_.push_back(static_cast<double>(plan.counts(0).target) /
                      static_cast<double>(plan.patches()));
    if (i >= shown_images) continue;
    std::vector<std::uint8_t> hidden(static_cast<std::size_t>(plan.patches()), 0);
    for (auto const patch : plan.target(0)) hidden[static_cast<std::size_t>(patch)] = 1;
    masked.push_back(compose(image, image, config.patch, hidden).masked);
    if (task.mask().knows_hardness())
      heats.push_back(draw_heat(image, config.patch, ask.hardness_of(image.values, i)));
  }
  has_gates_ = task.mask().has_gates();
  masked_.add(task.step(), epoch, png_of(draw_strip(masked, strip_width)));
  if (!heats.empty()) hardness_.add(task.step(), epoch, png_of(draw_strip(heats, strip_width)));
}

page_section mask_pictures::section() const {
  page_section section{.title = "What it hides",
                       .text =
                           "The training's own masks of held-out images, as they are at each "
                           "time: hidden patches in grey."};
  masked_.show(section, "", "the images as the training's mask hides them");
  if (!hardness_.stages().empty())
    section.text += std::string(has_gates_ ? " Below, how far each patch's gate is open"
                                           : " Below, how hard the mask's network thinks each "
                                             "patch") +
                    ": from dark blue to yellow, each image by itself.";
  hardness_.show(
      section,
      has_gates_ ? "gates, " : "hardness, ",
      has_gates_ ? "how far each patch's gate is open" : "how hard the mask thinks each patch");
  auto const [least, most] = std::ranges::minmax_element(shares_);
  if (!shares_.empty() && *least < *most) section.figures.push_back(histogram_of(shares_));
  return section;
}

}  // namespace pretrain
