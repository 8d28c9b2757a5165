#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/interop/onnx_graph.hpp>
#include <mae/interop/onnx_int8.hpp>
#include <mae/interop/preprocessing.hpp>
#include <mae/interop/pretrained_model.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/network/part.hpp>
#include <mae/op/pooling.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

namespace mae {

/// What the linear layers of a graph multiply: floats, or whole numbers of 8 bits.
enum class onnx_products { floats, int8 };

namespace detail {

/// Puts an encoder's operators into a graph, in the order in which encoder_forward runs them.
class onnx_encoder {
 public:
  onnx_encoder(pretrained_model const& model, onnx_products products)
      : model_(model), sizes_(model.sizes), stack_(model.sizes.encoder), products_(products) {
    auto const& image = sizes_.image;
    graph_.add_input("images",
                     {image.height, image.width, image.channels},
                     "Images (n, H, W, C) in scaled units: bytes / 255, or what the metadata's "
                     "pixel_scale says. Not normalised: the graph does that.");
    auto x = embedded();
    for (index_t i = 0; i < stack_.depth; ++i) x = block(x, block_prefix("blocks.", i));
    if (model_.final_norm() == norm_place::tokens)
      norm(x, "norm", "tokens");
    else
      graph_.add("Identity", {x}, "tokens");
    add_features("tokens");
    graph_.add_output("tokens",
                      {sizes_.num_patches() + 1, stack_.width},
                      "All tokens (n, N + 1, D), the class token first.");
    graph_.add_output(name_of(pooling::mean), {stack_.width}, "The mean of the patch tokens.");
    graph_.add_output(name_of(pooling::class_token), {stack_.width}, "The class token's feature.");
  }

  onnx_graph& graph() { return graph_; }

 private:
  std::string weights(std::string const& name) {
    auto const& tensor = model_.layout.find(name);
    return graph_.add_weights({.name = name, .shape = tensor.shape, .values = model_.tensor(name)});
  }
  std::string scalar(std::string const& name, double value) {
    return graph_.add_weights({.name = name, .shape = {}, .own = {static_cast<float>(value)}});
  }

  /// x W^T + b, of weights (out, in), which are written as a product reads them.
  std::string linear(std::string const& x, std::string const& name, index_t out, index_t in) {
    auto const product = products_ == onnx_products::int8
                             ? int8_product(graph_, x, name, model_.tensor(name + ".weight"), out)
                             : float_product(x, name, out, in);
    return graph_.add("Add", {product, weights(name + ".bias")}, name);
  }
  std::string float_product(std::string const& x,
                            std::string const& name,
                            index_t out,
                            index_t in) {
    auto const weight = graph_.add_weights({.name = name + ".weight",
                                            .shape = {in, out},
                                            .values = model_.tensor(name + ".weight"),
                                            .is_transposed = true});
    return graph_.add("MatMul", {x, weight}, name + ".product");
  }
  std::string norm(std::string const& x, std::string const& name, std::string const& output) {
    return graph_.add("LayerNormalization",
                      {x, weights(name + ".weight"), weights(name + ".bias")},
                      output,
                      {onnx_attribute("axis", std::int64_t{-1}),
                       onnx_attribute("epsilon", static_cast<float>(model_.norm_epsilon()))});
  }
  std::string reshaped(std::string const& x,
                       std::string const& shape,
                       std::vector<std::int64_t> const& extents,
                       std::string const& output) {
    return graph_.add("Reshape", {x, graph_.add_numbers(shape, extents)}, output);
  }
  std::string transposed(std::string const& x,
                         std::vector<std::int64_t> const& order,
                         std::string const& output) {
    return graph_.add("Transpose", {x}, output, {onnx_attribute("perm", order)});
  }

  /// As normalise_pixels.
  std::string normalised(std::string const& images) {
    auto const statistics = model_.statistics();
    if (statistics.mean.empty()) return images;
    std::vector<float> mean;
    std::vector<float> factor;
    for (std::size_t c = 0; c < statistics.mean.size(); ++c) {
      mean.push_back(static_cast<float>(statistics.mean[c]));
      factor.push_back(static_cast<float>(1.0 / statistics.deviation[c]));
    }
    index_t const channels = sizes_.image.channels;
    auto const means =
        graph_.add_weights({.name = "pixels.mean", .shape = {channels}, .own = std::move(mean)});
    auto const factors = graph_.add_weights(
        {.name = "pixels.factor", .shape = {channels}, .own = std::move(factor)});
    auto const centred = graph_.add("Sub", {images, means}, "pixels.centred");
    return graph_.add("Mul", {centred, factors}, "pixels.normalised");
  }

  /// (n, N + 1, D): patches in the order of patchify, projected, behind the class token, all with
  /// their positions.
  std::string embedded() {
    index_t const patches = sizes_.num_patches();
    auto const& patch = sizes_.patch;
    auto const cut = reshaped(normalised("images"),
                              "shape.cut",
                              {0,
                               sizes_.grid_rows(),
                               patch.height,
                               sizes_.grid_columns(),
                               patch.width,
                               sizes_.image.channels},
                              "patches.cut");
    auto const rows = reshaped(transposed(cut, {0, 1, 3, 2, 4, 5}, "patches.by_place"),
                               "shape.patches",
                               {0, patches, sizes_.patch_values()},
                               "patches");
    auto const tokens = linear(rows, "patch_embed.proj", stack_.width, sizes_.patch_values());
    auto const room = graph_.add_numbers("room.class_token", {0, 1, 0, 0, 0, 0});
    auto const padded = graph_.add("Pad", {tokens, room}, "embedded.padded");
    auto const positions = model_.tensor("pos_embed");
    auto const class_token = model_.tensor("cls_token");
    std::vector<float> table(positions.begin(), positions.end());
    for (std::size_t i = 0; i < class_token.size(); ++i) table[i] += class_token[i];
    auto const places = graph_.add_weights({.name = "cls_token+pos_embed",
                                            .shape = {1, patches + 1, stack_.width},
                                            .own = std::move(table)});
    return graph_.add("Add", {padded, places}, "embedded");
  }

  /// Queries or values (n, heads, N + 1, d); keys (n, heads, d, N + 1).
  std::string heads_of(std::string const& rows, bool are_keys) {
    auto const split =
        reshaped(rows, "shape.heads", {0, 0, stack_.heads, stack_.head_width()}, rows + ".split");
    auto const order =
        are_keys ? std::vector<std::int64_t>{0, 2, 3, 1} : std::vector<std::int64_t>{0, 2, 1, 3};
    return transposed(split, order, rows + ".by_head");
  }

  std::string attention(std::string const& x, std::string const& name) {
    index_t const width = stack_.width;
    auto const qkv = linear(x, name + "qkv", 3 * width, width);
    auto const parts = graph_.add("Split",
                                  {qkv},
                                  {name + "query", name + "key", name + "value"},
                                  {onnx_attribute("axis", std::int64_t{2})});
    auto const scale =
        scalar("attention.scale", 1 / std::sqrt(static_cast<double>(stack_.head_width())));
    auto const query = graph_.add("Mul", {heads_of(parts[0], false), scale}, name + "query.scaled");
    auto const scores = graph_.add("MatMul", {query, heads_of(parts[1], true)}, name + "scores");
    auto const shares = graph_.add(
        "Softmax", {scores}, name + "shares", {onnx_attribute("axis", std::int64_t{-1})});
    auto const mixed =
        graph_.add("MatMul", {shares, heads_of(parts[2], false)}, name + "mixed.by_head");
    auto const rows = reshaped(transposed(mixed, {0, 2, 1, 3}, name + "mixed.split"),
                               "shape.tokens",
                               {0, 0, width},
                               name + "mixed");
    return linear(rows, name + "proj", width, width);
  }

  /// By erf, in the form that ONNX Runtime finds and fuses.
  std::string gelu(std::string const& x, std::string const& name) {
    auto const argument =
        graph_.add("Div", {x, scalar("gelu.root_of_2", std::numbers::sqrt2)}, name + ".argument");
    auto const area = graph_.add("Erf", {argument}, name + ".erf");
    auto const raised = graph_.add("Add", {area, scalar("gelu.one", 1)}, name + ".raised");
    auto const twice = graph_.add("Mul", {x, raised}, name + ".twice");
    return graph_.add("Mul", {twice, scalar("gelu.half", 0.5)}, name);
  }

  std::string block(std::string const& x, std::string const& name) {
    auto const attended = attention(norm(x, name + "norm1", name + "norm1"), name + "attn.");
    auto const middle = graph_.add("Add", {x, attended}, name + "middle");
    auto const hidden = linear(norm(middle, name + "norm2", name + "norm2"),
                               name + "mlp.fc1",
                               stack_.hidden(),
                               stack_.width);
    auto const changed =
        linear(gelu(hidden, name + "mlp.gelu"), name + "mlp.fc2", stack_.width, stack_.hidden());
    return graph_.add("Add", {middle, changed}, name + "output");
  }

  /// What is pooled of the tokens, through the norm where that is of what is pooled.
  void add_features(std::string const& tokens) {
    bool const is_pooled = model_.final_norm() == norm_place::pooled;
    auto const first = graph_.add_numbers("number.first", {1});
    auto const last = graph_.add_numbers("number.last", {sizes_.num_patches() + 1});
    auto const axis = graph_.add_numbers("number.axis", {1});
    auto const of_patches = graph_.add("Slice", {tokens, first, last, axis}, "tokens.patches");
    auto const of_class =
        graph_.add("Gather",
                   {tokens, graph_.add_number("number.class_token", 0)},
                   is_pooled ? "tokens.class_token" : name_of(pooling::class_token),
                   {onnx_attribute("axis", std::int64_t{1})});
    auto const mean = graph_.add("ReduceMean",
                                 {of_patches},
                                 is_pooled ? "tokens.mean" : name_of(pooling::mean),
                                 {onnx_attribute("axes", std::vector<std::int64_t>{1}),
                                  onnx_attribute("keepdims", std::int64_t{0})});
    if (!is_pooled) return;
    norm(mean, "norm", name_of(pooling::mean));
    norm(of_class, "norm", name_of(pooling::class_token));
  }

  pretrained_model const& model_;
  model_config const& sizes_;
  stack_config const& stack_;
  onnx_products products_;
  onnx_graph graph_;
};

/// What an encoder's file says of its model: neither of a decoder nor others' texts.
inline safetensors_metadata onnx_metadata(pretrained_model const& model, onnx_products products) {
  auto metadata = model.description;
  std::erase_if(metadata, [](auto const& entry) {
    return entry.first.starts_with("decoder_") || entry.first.starts_with("density_token") ||
           entry.first == kept_preprocessor;
  });
  metadata["contents"] = "encoder";
  metadata["final_norm"] = model.final_norm() == norm_place::pooled ? "pooled" : "tokens";
  metadata["products"] = products == onnx_products::int8 ? "int8" : "fp32";
  metadata["made_by"] = std::string("mae ") + MAE_VERSION;
  return metadata;
}

}  // namespace detail

/// Writes a checkpoint's encoder as a graph of ONNX (opset 17), which normalises pixels as the
/// checkpoint says. Its input is `images` (n, H, W, C), float, in scaled units, of any number n;
/// its outputs are `tokens` (n, N + 1, D), `mean` and `class_token` (n, D), as sized_encoder has
/// them; the metadata has the checkpoint's entries. With int8 products, linear layers are those of
/// quantised_encoder: whole numbers with a scale for each row of weights and each row of what they
/// multiply, which the graph finds. What was at `path` stays as it was when anything fails. Throws
/// io_error; config_error where the heads are not known, for an encoder whose tokens are told
/// levels of density, and for more than 2 GiB; numeric_error for a value that is not finite.
inline void save_onnx(std::string const& path,
                      pretrained_model const& model,
                      onnx_products products = onnx_products::floats) {
  detail::require_heads(model, model.sizes.encoder, "--heads");
  if (model.levels().of_visible() > 0)
    throw config_error(model.path +
                       ": its tokens are told levels of density (density_token), which the graph "
                       "would have to measure: that is not written to ONNX");
  detail::onnx_encoder encoder(model, products);
  encoder.graph().save(path, "encoder", detail::onnx_metadata(model, products));
}

}  // namespace mae
