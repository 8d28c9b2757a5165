#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/normalise.hpp>
#include <mae/mask/plan.hpp>
#include <mae/model/pooling.hpp>
#include <mae/network/encoder_pass.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/part.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/staging.hpp>
#include <mae/network/worker_pass.hpp>
#include <mae/patch/patchify.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace mae {

/// Fills the pixels (H, W, C) of an image, in scaled units ([0, 1] for 8-bit images).
using read_image = std::function<void(index_t, std::span<float>)>;

/// Gets the tokens (N + 1, D) of an image after a block, which are numbered from 1; the class token
/// first.
template <class T>
using take_tokens = std::function<void(index_t image, index_t block, matrix_view<T const>)>;

/// Plans which patches of an image are encoded, plan.assign(at, ...): its patches (N, P) are of
/// pixels in scaled units. A plan without targets must show all; which are targets has no say.
using see_patches = std::function<void(
    index_t image, matrix_view<float const> patches, mask_plan& plan, index_t at)>;

/// Of images (n, H, W, C), which must outlive the result. A template, to be compiled where it is
/// used.
template <std::same_as<float> T>
read_image reader_of(std::span<T const> images) {
  return [images](index_t image, std::span<float> pixels) {
    std::ranges::copy(
        images.subspan(static_cast<std::size_t>(image) * pixels.size(), pixels.size()),
        pixels.begin());
  };
}
/// The images of a dataset, which must outlive the result.
template <Dataset D>
read_image reader_of(D const& dataset) {
  return [&dataset](index_t image, std::span<float> pixels) { dataset.read(image, pixels); };
}
template <Dataset D>
read_image reader_of(D const&& must_outlive_the_reader) = delete;

/// Which tokens are taken: after which blocks, what the final norm is of, and of which patches.
struct taken_tokens {
  block_range blocks;
  norm_place norm = norm_place::tokens;
  see_patches const* seen = nullptr;  // all
};

namespace detail {

/// Gets the tokens of a shard after a block; of one type, so that the encoder is compiled once.
template <class T>
using visit_tokens = std::function<void(index_t block, matrix_view<T const>)>;

/// What a lane needs to encode shards of images.
template <Backend B>
class image_encoder {
  using T = typename B::scalar;

 public:
  image_encoder(B const& backend,
                typename B::lane lane,
                network_parts<> const& parts,
                taken_tokens const& taken,
                index_t per_shard)
      : backend_(backend),
        config_(parts.config),
        taken_(taken),
        plan_(mask_plan::all_visible(per_shard, parts.config.num_patches())),
        pass_(std::move(lane), parts, pass_kind::inference),
        patches_(static_cast<std::size_t>(config_.image.values() * per_shard)),
        helpers_(static_cast<std::size_t>(backend.num_helpers())) {
    for (auto& helper : helpers_)
      helper.pixels.resize(static_cast<std::size_t>(config_.image.values()));
    for (auto& helper : helpers_) helper.cut.resize(helper.pixels.size());
  }

  /// Encodes images [first, last): one shard. After each of the blocks their tokens are taken.
  void encode(encoder_operands<typename B::lane> const& weights,
              pixel_statistics const& statistics,
              index_t first,
              index_t last,
              read_image const& read,
              take_tokens<T> const& take) {
    index_t const images = last - first;
    backend_.for_each_inside(images, [&](index_t i, int helper) {
      auto& mine = helpers_[static_cast<std::size_t>(helper)];
      read(first + i, mine.pixels);
      if (taken_.seen != nullptr) (*taken_.seen)(first + i, cut(mine), plan_, i);
      normalise_pixels(mine.pixels, statistics);
      cut(mine);
      std::ranges::copy(mine.cut, patches_.begin() + i * std::ssize(mine.cut));
    });
    auto const in = pass_.bring(plan_, 0, images, patches(images));
    visit_tokens<T> const visit = [&](index_t block, matrix_view<T const> encoded) {
      give(first, images, block, encoded, take);
    };
    pass_.network().encode_blocks(
        weights,
        in.shard,
        in.patches,
        block_visits<visit_tokens<T>>{taken_.blocks, taken_.norm == norm_place::tokens, visit});
  }

 private:
  /// Lets the tokens of images from `first` on be taken, in the host's memory.
  void give(index_t first,
            index_t images,
            index_t block,
            matrix_view<T const> encoded,
            take_tokens<T> const& take) const {
    host_values<B> const values(backend_,
                                std::span(encoded.data, static_cast<std::size_t>(encoded.size())));
    matrix_view<T const> const tokens(values.span().data(), encoded.rows, encoded.cols);
    auto const* const begins = pass_.rows().encoder_offsets().values().data();
    backend_.for_each_inside(images, [&](index_t i, int /*helper*/) {
      take(first + i, block, tokens.middle_rows(begins[i], begins[i + 1] - begins[i]));
    });
  }

  struct scratch {
    std::vector<float> pixels;  // (H, W, C), in scaled units
    std::vector<float> cut;     // (N, P)
  };

  /// The patches (N, P) of the pixels as they are.
  matrix_view<float const> cut(scratch& mine) const {
    matrix_view<float> const rows(mine.cut.data(), config_.num_patches(), config_.patch_values());
    patchify(mine.pixels, config_.image, config_.patch, rows);
    return rows;
  }
  matrix_view<T const> patches(index_t images) const {
    return {patches_.data(), images * config_.num_patches(), config_.patch_values()};
  }

  B const& backend_;
  model_config config_;
  taken_tokens taken_;
  mask_plan plan_;
  worker_pass<network_pass<B>> pass_;
  std::vector<T> patches_;  // the shard's (images * N, P)
  std::vector<scratch> helpers_;
};

}  // namespace detail

/// Encodes `images` images, all patches or those that are seen, and lets their tokens be taken
/// after some blocks, through the final norm, or without one of what is pooled: shards in parallel,
/// or, where that would leave half of the threads idle, one after the other on all threads. `read`,
/// `taken.seen` and `take` are called from several threads at once, for different images. They are
/// functions of any kind, not templates, so that the network is compiled once for all that is
/// encoded with it.
template <Backend B>
void encode_images(B const& backend,
                   network_parts<> const& parts,
                   taken_tokens const& taken,
                   encoder_operands<typename B::lane> const& weights,
                   pixel_statistics const& statistics,
                   index_t images,
                   read_image const& read,
                   take_tokens<typename B::scalar> const& take) {
  index_t const per_shard = std::min(images, B::shards.images_of(parts.config.num_patches() + 1));
  if (images == 0) return;
  index_t const shards = ceil_div(images, per_shard);
  bool const as_team = 2 * shards <= backend.num_workers();
  std::vector<std::unique_ptr<detail::image_encoder<B>>> workers;
  for (int i = 0; i < (as_team ? 1 : backend.num_workers()); ++i)
    workers.push_back(std::make_unique<detail::image_encoder<B>>(
        backend,
        as_team ? backend.make_team_lane() : backend.make_lane(),
        parts,
        taken,
        per_shard));
  auto const encode = [&](index_t shard, int worker) {
    index_t const first = shard * per_shard;
    index_t const last = std::min(first + per_shard, images);
    workers[static_cast<std::size_t>(worker)]->encode(weights, statistics, first, last, read, take);
  };
  if (!as_team) return backend.for_each(shards, encode);
  for (index_t shard = 0; shard < shards; ++shard) encode(shard, 0);
}

}  // namespace mae
