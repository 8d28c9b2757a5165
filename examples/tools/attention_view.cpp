#include "attention_view.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/views.hpp>
#include <mae/data/normalise.hpp>
#include <mae/data/subset.hpp>
#include <mae/interop/open_pretrained.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/pooling.hpp>
#include <mae/network/weights.hpp>
#include <mae/patch/patchify.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace tools {
namespace {

using mae::index_t;
using backend = mae::eigen_backend<float>;
using matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using rows_view = Eigen::Map<matrix const>;

rows_view see(mae::matrix_view<float const> m) {
  return {m.data, m.rows, m.cols};
}
Eigen::Map<Eigen::RowVectorXf const> see(std::span<float const> v) {
  return {v.data(), std::ssize(v)};
}
rows_view see(std::span<float const> square, index_t side) {
  return {square.data(), side, side};
}

mae::matrix_view<float> as_view(matrix& m) {
  return {m.data(), m.rows(), m.cols()};
}

matrix linear(matrix const& x, mae::linear_weights<float const> const& weights) {
  matrix y = x * see(weights.weight).transpose();
  y.rowwise() += see(weights.bias);
  return y;
}

matrix layer_norm(matrix const& x, mae::norm_weights<float const> const& weights, double epsilon) {
  matrix y = x.colwise() - x.rowwise().mean();
  Eigen::VectorXf const scale =
      (y.array().square().rowwise().mean() + static_cast<float>(epsilon)).rsqrt();
  y = scale.asDiagonal() * y;
  y = y * see(weights.weight).asDiagonal();
  y.rowwise() += see(weights.bias);
  return y;
}

std::vector<float> patches_of(Eigen::Ref<Eigen::RowVectorXf const> const& tokens) {
  return {tokens.data() + 1, tokens.data() + tokens.size()};
}

}  // namespace

void put_first_input(attention_source const& of,
                     std::span<float const> image,
                     mae::matrix_view<float> out) {
  auto const& sizes = of.sizes;
  std::vector<float> pixels(image.begin(), image.end());
  mae::normalise_pixels(pixels, of.statistics);
  matrix cut(sizes.num_patches(), sizes.patch_values());
  mae::patchify(pixels,
                sizes.image,
                sizes.patch,
                mae::matrix_view<float>(cut.data(), cut.rows(), cut.cols()));
  Eigen::Map<matrix> first(out.data, out.rows, out.cols);
  first.row(0) = see(of.weights.class_token);
  first.bottomRows(cut.rows()) = linear(cut, of.weights.patch_embed);
  first += see(of.weights.positions);
  if (of.levels.of_visible() == 0) return;
  std::vector<float> memory;
  mae::level_finder find(of.levels, sizes, memory);
  mae::matrix_view<float const> const patches(cut.data(), cut.rows(), cut.cols());
  for (index_t patch = 0; patch < patches.rows; ++patch)
    first.row(patch + 1) += see(of.weights.levels.row(find(patches.row(patch))));
}

/// Of the norm's output, queries and keys of each head, and softmax of their products over
/// sqrt(D / H).
void visit_probabilities(attention_source const& of,
                         index_t block,
                         mae::matrix_view<float const> input,
                         take_head const& take) {
  auto const& weights = of.weights.blocks[static_cast<std::size_t>(block)];
  matrix const qkv = linear(layer_norm(see(input), weights.norm1, of.norm_epsilon), weights.qkv);
  index_t const width = input.cols;
  index_t const heads = of.sizes.encoder.heads;
  index_t const each = width / heads;
  for (index_t head = 0; head < heads; ++head) {
    matrix p = qkv.middleCols(head * each, each) *
               qkv.middleCols(width + head * each, each).transpose() /
               std::sqrt(static_cast<float>(each));
    Eigen::VectorXf const greatest = p.rowwise().maxCoeff();  // before p changes
    p = (p.colwise() - greatest).array().exp();
    Eigen::VectorXf const sums = p.rowwise().sum();
    p = sums.cwiseInverse().asDiagonal() * p;
    take(head, {p.data(), static_cast<std::size_t>(p.size())});
  }
}

struct attention_viewer::parts {
  mae::sized_encoder<backend> encoder;  // gives its blocks' tokens without a norm
  mae::norm_place norm;
};

attention_viewer::attention_viewer(mae::pretrained_model const& model,
                                   std::shared_ptr<mae::thread_pool> threads)
    : parts_(new parts{mae::open_pretrained_encoder(model, backend(std::move(threads))),
                       model.final_norm()}) {
  parts_->encoder.set_final_norm(mae::norm_place::pooled);
}
attention_viewer::~attention_viewer() = default;

attention_of_image attention_viewer::look(pretrain::image_set const& images, index_t number) const {
  auto const& encoder = parts_->encoder;
  auto const& sizes = encoder.sizes();
  auto const source = attention_source_of(encoder);
  index_t const tokens = encoder.num_tokens();
  index_t const blocks = sizes.encoder.depth;

  std::vector<matrix> states(static_cast<std::size_t>(blocks) + 1,
                             matrix(tokens, sizes.encoder.width));
  std::vector<float> pixels(static_cast<std::size_t>(sizes.image.values()));
  images.read(number, pixels);
  put_first_input(source, pixels, as_view(states[0]));
  encoder.encode_blocks(mae::subset(images, number, 1),
                        {1, blocks},
                        [&](index_t /*image*/, index_t block, mae::matrix_view<float const> seen) {
                          states[static_cast<std::size_t>(block)] = see(seen);
                        });

  attention_of_image found{.blocks = blocks, .heads = sizes.encoder.heads, .tokens = tokens};
  index_t const of_block = found.heads * tokens * tokens;
  found.probabilities.resize(static_cast<std::size_t>(blocks * of_block));
  for (index_t block = 0; block < blocks; ++block)
    visit_probabilities(source,
                        block,
                        as_view(states[static_cast<std::size_t>(block)]),
                        [&, at = found.probabilities.begin() + block * of_block](
                            index_t head, std::span<float const> of_head) {
                          std::ranges::copy(of_head, at + head * std::ssize(of_head));
                        });
  matrix const last = parts_->norm == mae::norm_place::tokens
                          ? layer_norm(states.back(), source.weights.norm, encoder.norm_epsilon())
                          : states.back();
  if (!last.allFinite())
    throw mae::config_error("image " + std::to_string(number) +
                            " (from 0): its tokens are not finite: the checkpoint's weights or its "
                            "pixels' statistics are beyond what float can compute with");
  found.encoded.assign(last.data(), last.data() + last.size());
  return found;
}

std::vector<float> class_attention(attention_of_image const& attention, index_t head) {
  return patches_of(see(attention.of_head(attention.blocks - 1, head), attention.tokens).row(0));
}

std::vector<float> mean_class_attention(attention_of_image const& attention) {
  Eigen::RowVectorXf sum = Eigen::RowVectorXf::Zero(attention.tokens);
  for (index_t head = 0; head < attention.heads; ++head)
    sum += see(attention.of_head(attention.blocks - 1, head), attention.tokens).row(0);
  return patches_of(sum / static_cast<float>(attention.heads));
}

std::vector<float> attention_rollout(attention_of_image const& attention) {
  Eigen::RowVectorXf taken = Eigen::RowVectorXf::Unit(attention.tokens, 0);
  for (index_t block = attention.blocks; block-- > 0;) {
    Eigen::RowVectorXf through = Eigen::RowVectorXf::Zero(attention.tokens);
    for (index_t head = 0; head < attention.heads; ++head)
      through += taken * see(attention.of_head(block, head), attention.tokens);
    taken = 0.5F * taken + 0.5F / static_cast<float>(attention.heads) * through;
  }
  return patches_of(taken);
}

std::vector<float> similarity_to_patch(attention_of_image const& attention, index_t patch) {
  rows_view const all(
      attention.encoded.data(), attention.tokens, std::ssize(attention.encoded) / attention.tokens);
  matrix const unit = all.bottomRows(attention.tokens - 1).rowwise().normalized();
  Eigen::RowVectorXf const cosines = unit.row(patch) * unit.transpose();
  return {cosines.data(), cosines.data() + cosines.size()};
}

}  // namespace tools
