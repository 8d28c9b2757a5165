#pragma once

#include <mae/backend/concept.hpp>
#include <mae/backend/eigen/declaration.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/mask/plan.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/headed_encoder.hpp>
#include <mae/network/staging.hpp>
#include <mae/objective/objective.hpp>
#include <mae/patch/patchify.hpp>
#include <mae/series/pixel_painter.hpp>
#include <mae/series/quantile_painter.hpp>
#include <mae/series/series_model.hpp>
#include <mae/series/window_mask.hpp>
#include <mae/series/windows.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <span>
#include <string>
#include <system_error>
#include <tuple>
#include <vector>

namespace mae {

/// What a painter of quantiles predicts, as an objective: a model that was trained is opened, and
/// paints, with it. Its pictures are of medians.
struct quantile_pixels {
  quantile_levels levels = quantile_levels::of({0.5});

  constexpr index_t target_width(model_config const& config) const {
    return config.patch_values() * levels.count;
  }
  template <class T>
  void target(model_config const& /*config*/,
              matrix_view<T const> patches,
              std::span<patch_index const> rows,
              matrix_view<T> targets) const {
    for (std::size_t i = 0; i < rows.size(); ++i)
      for (index_t k = 0; k < levels.count; ++k)
        std::ranges::copy(patches.row(rows[i]),
                          targets.row(static_cast<index_t>(i)).begin() + k * patches.cols);
  }
  template <class T>
  void to_pixels(matrix_view<T const> /*patches*/,
                 std::span<patch_index const> rows,
                 matrix_view<T const> predictions,
                 matrix_view<T> painted) const {
    std::vector<T> sorted(static_cast<std::size_t>(levels.count));
    for (index_t i = 0; i < std::ssize(rows); ++i)
      for (index_t p = 0; p < painted.cols; ++p) {
        sort_value(predictions, i, p, std::span<T>(sorted));
        painted(i, p) = sorted[median()];
      }
  }
  settings_list settings() const {
    return {{"objective", "quantiles"}, {"objective_levels", levels.text()}};
  }

  /// The quantiles of a value of a row of predictions, (levels, values of a patch): those that
  /// cross are put in order (Chernozhukov et al. 2010).
  template <class T>
  void sort_value(matrix_view<T const> predictions,
                  index_t row,
                  index_t value,
                  std::span<T> sorted) const {
    index_t const values = predictions.cols / levels.count;
    for (index_t k = 0; k < levels.count; ++k)
      sorted[static_cast<std::size_t>(k)] = predictions(row, k * values + value);
    std::sort(sorted.begin(), sorted.end());
  }
  /// Which of the levels is 0.5. Throws config_error where none is.
  std::size_t median() const {
    auto const all = std::span(levels.values).first(static_cast<std::size_t>(levels.count));
    auto const found = std::find(all.begin(), all.end(), 0.5);
    if (found == all.end())
      throw config_error("quantiles " + levels.text() +
                         " are learnt without the median, 0.5, which is what is forecast");
    return static_cast<std::size_t>(found - all.begin());
  }
};
static_assert(Objective<quantile_pixels>);

/// The levels that a model has learnt, as its file says. Throws format_error for others than rise
/// in (0, 1), the median among them.
inline quantile_pixels quantiles_in(std::string const& path,
                                    safetensors_metadata const& description) {
  auto const entry = description.find("objective_levels");
  std::string const text = entry == description.end() ? "" : entry->second;
  try {
    std::vector<double> levels;
    for (std::size_t begin = 0; begin < text.size();) {
      auto const end = std::min(text.find(',', begin), text.size());
      auto const [stop, problem] =
          std::from_chars(text.data() + begin, text.data() + end, levels.emplace_back());
      if (problem != std::errc{} || stop != text.data() + end) levels.back() = -1;
      begin = end + 1;
    }
    quantile_pixels const found{quantile_levels::of(levels)};
    static_cast<void>(found.median());
    return found;
  } catch (config_error const&) {
    throw format_error(
        path, 8, "metadata: objective_levels are no levels of quantiles: " + in_quotes(text));
  }
}

/// A trainer's model of windows that learns quantiles in place of means; `painted_quantiles` says
/// what it has learnt.
template <Backend B = eigen_backend<float>>
class quantile_series_model : public sized_headed_encoder<window_mask, B, quantile_painter> {
  using base = sized_headed_encoder<window_mask, B, quantile_painter>;

 public:
  /// Throws config_error for windows, sizes and levels that cannot be; 0.5 must be one of them.
  quantile_series_model(window_options const& windows,
                        std::vector<double> const& levels,
                        series_model_options const& options = {},
                        B backend = B{})
      : base(detail::series_sizes(windows, options), parts_of(windows, levels, options, backend)) {
    base::set_statistics(detail::series_statistics(windows));
  }

  quantile_pixels objective_of_file() const { return {std::get<0>(base::sizes().heads).levels}; }

 private:
  static typename base::parts parts_of(window_options const& windows,
                                       std::vector<double> const& levels,
                                       series_model_options const& options,
                                       B const& backend) {
    auto const sizes = detail::series_sizes(windows, options);
    quantile_pixels const predicted{quantile_levels::of(levels)};
    static_cast<void>(predicted.median());
    typename base::parts parts;
    parts.heads = {quantile_painter::of(sizes, sizes.patch_values(), predicted.levels)};
    parts.seed = options.seed;
    parts.backend = backend;
    parts.mask = detail::series_mask(windows, options);
    return parts;
  }
};

/// A model that has learnt quantiles, to be painted with.
template <Backend B = eigen_backend<float>>
class painted_quantiles : public sized_autoencoder<window_mask, B, quantile_pixels> {
  using base = sized_autoencoder<window_mask, B, quantile_pixels>;

 public:
  /// A copy of what was trained.
  explicit painted_quantiles(quantile_series_model<B> const& trained)
      : base(trained.sizes().config,
             {.mask = trained.mask(),
              .objective = trained.objective_of_file(),
              .backend = trained.backend(),
              .norm_epsilon = trained.sizes().norm_epsilon}) {
    host_values<B> const values(trained.backend(), trained.parameters().values());
    base::set_parameters(values.span());
    base::set_statistics(trained.statistics());
  }
};

/// What a file says of the quantiles beside what save_model writes.
template <Backend B>
settings_list describe_quantiles(quantile_series_model<B> const& model) {
  return model.objective_of_file().settings();
}

/// A model of quantiles as a painter, which refers to it. Throws config_error for one that has not
/// learnt the median.
template <class Model>
pixel_painter painter_of_quantiles(Model const& model) {
  static_cast<void>(model.objective().median());
  auto painter = painter_of(model);
  painter.levels = model.objective().levels.list();
  painter.paint_levels = [&model](std::span<float const> images, mask_plan const& plan) {
    auto const& config = model.sizes().config;
    auto const& objective = model.objective();
    auto const found = model.forward(images, plan);
    matrix_view<float const> const said(found.prediction.data(), found.targets, found.target_width);
    auto const size = static_cast<std::size_t>(config.image.values());
    auto const levels = static_cast<std::size_t>(objective.levels.count);
    std::vector<float> painted(levels * images.size());
    std::vector<float> sorted(levels);
    std::vector<float> patches(levels * size);  // of an image
    index_t row = 0;
    for (index_t i = 0; i < plan.images(); ++i) {
      std::fill(patches.begin(), patches.end(), 0.0F);
      for (auto const patch : plan.target(i)) {
        for (index_t p = 0; p < config.patch_values(); ++p) {
          objective.sort_value(said, row, p, std::span(sorted));
          for (std::size_t k = 0; k < levels; ++k)
            patches[k * size + static_cast<std::size_t>(patch * config.patch_values() + p)] =
                sorted[k];
        }
        ++row;
      }
      for (std::size_t k = 0; k < levels; ++k)
        unpatchify({patches.data() + k * size, config.num_patches(), config.patch_values()},
                   config.image,
                   config.patch,
                   std::span(painted).subspan(
                       k * images.size() + static_cast<std::size_t>(i) * size, size));
    }
    return painted;
  };
  return painter;
}
template <class Model>
pixel_painter painter_of_quantiles(Model const&& must_outlive_the_painter) = delete;

}  // namespace mae
