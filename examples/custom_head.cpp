// A head of one's own beside the painter: it tells an image's mean colour from the mean of what the
// encoder makes of the visible patches. Checks that it learns, and that another cannot take its
// file.
#include <mae/mae.hpp>

#include <algorithm>
#include <iostream>
#include <span>
#include <string_view>

// [head]
template <mae::Lane L>
struct tint_pass {  // on a lane; pooled_linear makes K values of an image's pooled tokens
  using T = mae::scalar_of<L>;

  mae::pooled_linear_pass<L> part;

  template <class Head>
  static tint_pass carve(mae::carver<T>& memory,
                         Head const& head,
                         mae::shard_capacity const& room,
                         mae::pass_kind kind) {
    return {mae::pooled_linear_pass<L>::carve(memory, head.part, room, kind)};
  }
  template <class Operands>
  void forward(mae::head_input<L> const& in, Operands const& weights, std::span<T> losses) const {
    mae::patch_loss_forward(in.lane, {}, part.forward(in, weights), in.labels, losses);
  }
  template <class Operands, class Gradients>
  void backward(mae::head_input<L> const& in,
                Operands const& weights,
                mae::matrix_view<T> tokens_grad,
                Gradients const& weights_grad) const {
    auto const tints = part.outputs(in.shard);
    mae::patch_loss_backward(in.lane, {}, tints, in.labels, tints);  // in place
    part.backward(in, weights, tints, tokens_grad, weights_grad);
  }
};

struct tint {
  template <class T, class Linear>
  using weights = mae::pooled_linear::weights<T, Linear>;
  template <mae::Lane L>
  using pass = tint_pass<L>;
  static constexpr std::string_view name = "tint";

  mae::pooled_linear part;

  tint fitted(mae::model_config const& config) const {
    return {{"tint", config.encoder.width, config.image.channels}};
  }
  void walk(auto& at, auto&... of) const { part.walk(at, of...); }
  auto extents(mae::shard_capacity const& room) const { return part.extents(room); }

  // What is to be learnt: a row of each image, written from its patches (N, values of a patch).
  mae::index_t label_rows(mae::shard_capacity const& room) const { return room.images; }
  mae::index_t label_width() const { return part.outputs; }
  template <class T>
  void label(mae::image_sample<T> const& image, mae::matrix_view<T> row) const {
    mae::index_t const pixels = image.patches.size() / part.outputs;
    std::ranges::fill(row.row(0), T{0});
    for (mae::index_t i = 0; i < image.patches.size(); ++i)
      row(0, i % part.outputs) += image.patches.data[i] / static_cast<T>(pixels);
  }
  auto num_counted(auto const& labels) const { return labels.rows; }
  double loss_of_zero(auto const& labels) const { return mae::loss_of_zero({}, labels); }
};
static_assert(mae::HeadOn<tint, mae::eigen_backend<float>::lane>);
// [/head]

constexpr mae::model_config small{
    .image = {.height = 16, .width = 16, .channels = 3},
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 2, .width = 48, .heads = 3},
    .decoder = {.depth = 1, .width = 32, .heads = 2},
};

int main() {
  // [use]
  using model = mae::autoencoder<small,
                                 mae::uniform_mask<mae::ratio{1, 2}>,
                                 mae::eigen_backend<float>,
                                 mae::normalised_pixels,
                                 tint>;
  mae::synthetic_dataset const images(600, 1, small.image);
  model network({.head_weights = {1, 0.5}});  // the painter's, and the tint's
  mae::trainer training(network, images, {.batch_size = 50, .epochs = 10, .lr = 2e-3});
  double last = 0;
  training.run({.on_step = [&](mae::step_report const& report) {
    for (auto const& head : report.heads) {
      if (report.ends_epoch)
        std::cout << head.name << " " << head.loss << " (of zeros: " << head.baseline << ")  ";
      last = head.loss / head.baseline;
    }
    if (report.ends_epoch) std::cout << "\n";
  }});
  mae::save_model("painter_and_tint.safetensors", network);
  mae::autoencoder<small> painter;
  for (auto const& head : mae::load_model("painter_and_tint.safetensors", painter))
    std::cout << "left out: " << head << "\n";
  // [/use]
  return last < 0.2 ? 0 : 1;
}
