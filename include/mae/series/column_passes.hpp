#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/painter.hpp>
#include <mae/mask/plan.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/worker_pass.hpp>
#include <mae/op/linear.hpp>
#include <mae/series/column_decoder.hpp>
#include <mae/series/context_picture.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace mae {

/// Pictures that are drawn when they are painted and read at once: memory is that of a few. `draw`
/// and `read` are called from several threads at once, for different pictures, and must not use the
/// model's threads.
struct picture_stream {
  index_t pictures = 0;
  /// Columns [first, last) of patches are painted.
  index_t first = 0;
  index_t last = 0;
  /// Whether pictures are grey, (H, W): all channels of the model's are equal, and it is their mean
  /// that is read. Else (H, W, C).
  bool is_grey = false;
  /// Draws a picture, and returns for each patch whether it is seen; one at least is.
  std::function<std::vector<std::uint8_t>(index_t number, std::span<float> picture)> draw;
  /// Reads what was painted; beyond the columns it says nothing.
  std::function<void(index_t number, std::span<float const> painted)> read;
};

namespace detail {

/// Whether columns of a model's pictures can be painted here: by a decoder of all tokens, and
/// products of a lane as they are: plain ones, of one core.
template <class Model>
constexpr bool paints_columns() {
  using B = typename Model::backend_type;
  using L = typename B::lane;
  using heads = decltype(std::declval<Model const&>().sizes().heads);
  if constexpr (!std::is_same_v<std::tuple_element_t<0, heads>, painter> || !B::uses_host_memory ||
                L::is_parallel)
    return false;
  else
    return std::is_same_v<operand_of<L>, scalar_of<L>> && weight_packing<L>::is_for_training &&
           L::depth_step == 1;
}

/// A model's weights for pictures whose channels are equal: what enters is the sum over channels,
/// what is predicted their mean.
template <class T>
class grey_weights {
 public:
  grey_weights(network_parts<painter>& parts, network_weights<T const, painter>& weights) {
    index_t const channels = parts.config.image.channels;
    auto& decoder = std::get<0>(weights.heads);
    auto& embed = weights.encoder.patch_embed;
    index_t const pixels = parts.config.patch_values() / channels;
    embed_ = host_buffer<T>(embed.weight.rows * pixels);
    head_ = host_buffer<T>(pixels * decoder.head.weight.cols);
    bias_ = host_buffer<T>(pixels);
    auto const share = T{1} / static_cast<T>(channels);
    auto const wide = embed_.matrix(embed.weight.rows, pixels);
    auto const tall = head_.matrix(pixels, decoder.head.weight.cols);
    for (index_t p = 0; p < pixels; ++p)
      for (index_t c = 0; c < channels; ++c) {
        index_t const from = p * channels + c;
        for (index_t i = 0; i < wide.rows; ++i) wide(i, p) += embed.weight(i, from);
        for (index_t i = 0; i < tall.cols; ++i) tall(p, i) += share * decoder.head.weight(from, i);
        bias_[p] += share * decoder.head.bias[static_cast<std::size_t>(from)];
      }
    embed.weight = wide;
    decoder.head = {tall, bias_.span()};
    parts.config.image.channels = 1;
    std::get<0>(parts.heads).sizes.target_width = pixels;
  }

 private:
  host_buffer<T> embed_;  // (D, p p)
  host_buffer<T> head_;   // (p p, d)
  host_buffer<T> bias_;
};

/// Paints the pictures of a stream. For models of pixels in the host's memory.
template <class Model>
class column_passes {
  using B = typename Model::backend_type;
  using L = typename B::lane;
  using T = typename B::scalar;
  using network = painter_network<B>;

 public:
  column_passes(Model const& model, picture_stream const& stream)
      : stream_(&stream),
        parts_{
            model.sizes().config, model.sizes().norm_epsilon, {std::get<0>(model.sizes().heads)}},
        weights_{model.weights().encoder, {std::get<0>(model.weights().heads)}},
        prepared_(pass_kind::inference) {
    if (stream.is_grey && parts_.config.image.channels > 1)
      grey_ = std::make_unique<grey_weights<T>>(parts_, weights_);
    operands_ = &prepared_.update(parts_, weights_, model.backend());
    last_ = parted_attention<L>(model.backend().make_lane(),
                                std::get<0>(weights_.heads).blocks.back().qkv);
    index_t const threads = model.backend().num_workers();
    together_ = std::clamp(stream.pictures / threads, index_t{1}, most_together);
    workers_.resize(static_cast<std::size_t>(threads));
  }

  void paint(B const& backend) {
    backend.for_each(ceil_div(stream_->pictures, together_), [&](index_t shard, int number) {
      auto& own = workers_[static_cast<std::size_t>(number)];
      if (!own) own = std::make_unique<worker>(*this, backend);
      index_t const first = shard * together_;
      paint(*own, first, std::min(first + together_, stream_->pictures));
    });
  }

 private:
  /// Pictures that the encoder takes at once, so that its weights are read once for them.
  static constexpr index_t most_together = 4;

  struct worker {
    worker(column_passes& of, B const& backend)
        : pass(backend.make_lane(), of.parts_, pass_kind::inference),
          decoder(backend.make_lane(),
                  std::get<0>(of.parts_.heads).sizes,
                  static_cast<T>(of.parts_.norm_epsilon),
                  std::get<0>(of.operands_->heads),
                  of.last_.query(),
                  of.last_.key_value()),
          picture(static_cast<std::size_t>(of.parts_.config.image.values())),
          painted(picture.size()),
          patches(of.together_ * of.parts_.config.image.values()) {}

    worker_pass<network> pass;
    column_decoder<L> decoder;
    std::vector<float> picture;
    std::vector<float> painted;
    host_buffer<T> patches;  // (together, N, P)
  };

  void paint(worker& of, index_t first, index_t last) {
    auto const& config = parts_.config;
    auto const patches =
        of.patches.matrix((last - first) * config.num_patches(), config.patch_values());
    mask_plan plan(last - first, config.num_patches());
    for (index_t i = first; i < last; ++i) {
      auto const seen = stream_->draw(i, of.picture);
      show(plan, i - first, seen);
      for (auto const patch : plan.visible(i - first))
        move_patch(
            std::span(of.picture), patch, patches.row((i - first) * config.num_patches() + patch));
    }
    auto const in = of.pass.bring(plan, 0, last - first, patches);
    auto const tokens = of.pass.network().encode(operands_->encoder, in.shard, in.patches);
    auto const rows = in.shard.encoder_offsets.values();
    for (index_t i = 0; i < last - first; ++i) {
      index_t const begin = rows[static_cast<std::size_t>(i)];
      index_t const count = rows[static_cast<std::size_t>(i) + 1] - begin;
      auto const asked = asked_of(plan, i);
      of.decoder.show(asked);
      auto const said = of.decoder.predict(tokens.middle_rows(begin, count));
      for (std::size_t k = 0; k < asked.wanted.size(); ++k)
        put_patch(said.row(static_cast<index_t>(k)), asked.wanted[k], of.painted);
      stream_->read(first + i, of.painted);
    }
  }

  painted_patches asked_of(mask_plan const& plan, index_t image) const {
    auto const seen = plan.visible(image);
    auto const hidden = plan.target(image);
    painted_patches asked{{seen.begin(), seen.end()}, {hidden.begin(), hidden.end()}, {}};
    index_t const columns = parts_.config.grid_columns();
    for (index_t patch = 0; patch < plan.patches(); ++patch)
      if (patch % columns >= stream_->first && patch % columns < stream_->last)
        asked.wanted.push_back(patch);
    return asked;
  }

  /// Calls line(begin in the picture, begin in the patch, values) for each row of a patch.
  template <class Line>
  void for_lines(index_t patch, Line const& line) const {
    auto const& config = parts_.config;
    index_t const run = config.patch.width * config.image.channels;
    index_t const width = config.image.width * config.image.channels;
    index_t const begin = patch / config.grid_columns() * config.patch.height * width +
                          patch % config.grid_columns() * run;
    for (index_t y = 0; y < config.patch.height; ++y) line(begin + y * width, y * run, run);
  }
  void move_patch(std::span<float const> picture, index_t patch, std::span<T> values) const {
    for_lines(patch, [&](index_t from, index_t to, index_t count) {
      std::copy_n(picture.begin() + from, count, values.begin() + to);
    });
  }
  void put_patch(std::span<T const> values, index_t patch, std::span<float> picture) const {
    for_lines(patch, [&](index_t to, index_t from, index_t count) {
      for (index_t i = 0; i < count; ++i)
        picture[static_cast<std::size_t>(to + i)] =
            static_cast<float>(values[static_cast<std::size_t>(from + i)]);
    });
  }

  picture_stream const* stream_;
  network_parts<painter> parts_;
  network_weights<T const, painter> weights_;
  std::unique_ptr<grey_weights<T>> grey_;
  prepared_weights<B, painter> prepared_;
  typename network::operands_type const* operands_ = nullptr;
  parted_attention<L> last_;
  index_t together_ = 1;
  /// Of each thread, made when it first paints: any of them may, however few pictures there are.
  std::vector<std::unique_ptr<worker>> workers_;
};

/// Paints the columns of a stream's pictures, for models of pixels in the host's memory. Throws
/// config_error where the painter is off.
template <class Model>
void paint_columns(Model const& model, picture_stream const& stream) {
  if (!model.sizes().is_on(0))
    throw config_error("the model paints nothing: its painter has weight 0");
  column_passes<Model> passes(model, stream);
  passes.paint(model.backend());
}

}  // namespace detail

}  // namespace mae
