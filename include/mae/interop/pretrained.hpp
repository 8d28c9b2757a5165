#pragma once

#include <mae/core/buffer.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/head/cross_decoder.hpp>
#include <mae/head/decoder.hpp>
#include <mae/interop/checkpoint_description.hpp>
#include <mae/interop/file_sizes.hpp>
#include <mae/interop/foreign_parts.hpp>
#include <mae/interop/naming.hpp>
#include <mae/interop/pretrained_model.hpp>
#include <mae/interop/tensor_files.hpp>
#include <mae/io/description.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/head_list.hpp>
#include <mae/io/parameter_file.hpp>
#include <mae/io/quantised_tensor.hpp>
#include <mae/network/layout.hpp>

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mae {

namespace detail {

/// Whether a tensor is of a head that a file of this library names.
inline bool is_of_named_head(tensor_files const& files, std::string_view name) {
  if (!files.metadata().contains(heads_entry)) return false;
  return std::ranges::any_of(heads_in(files.metadata()), [name](std::string const& head) {
    return head != decoder_segment && name.starts_with(head + '.');
  });
}

/// Reads every tensor of the layout, and notes which others were left out. All are looked for
/// before memory is taken: a file cannot ask for more than it holds.
inline void read_values(tensor_files const& files, pretrained_model& model) {
  std::vector<tensor_spec> parts;
  for (auto const& tensor : model.layout.tensors())
    for (auto& part : parts_in(model.names, tensor)) parts.push_back(std::move(part));
  std::string const positions = names_in(model.names, "pos_embed").front();
  if (auto const* const table = files.find(positions);
      table->shape.size() == 3 && table->shape[1] == model.sizes.num_patches())
    refuse_architecture(files.path_of(positions),
                        "positions of its patches alone, none of the class token");
  std::set<std::string_view> known;
  index_t in_int8 = 0;
  for (auto const& part : parts) {
    auto const* const entry = files.find(part.name);
    require_fit(entry, files.path_of(part.name), part.name, part);
    known.insert(part.name);
    if (entry->type != dtype::i8) continue;
    require_scales(
        files.find(scale_name(part.name)), files.path_of(part.name), part.name, part.shape.front());
    ++in_int8;
  }
  if (in_int8 > 0)
    model.notes.push_back("int8: the weights of " + std::to_string(in_int8) +
                          " layers, which are integers times a scale for each row");
  std::vector<std::string> left_out;
  files.for_each([&](tensor_files::found_tensor const& tensor) {
    if (known.contains(tensor.name) ||
        is_scale(tensor.name, [&](std::string_view name) { return files.find(name); }))
      return;
    auto const own = after(tensor.name, model.names.encoder).value_or(tensor.name);
    if (!may_be_left_out(own, model.has_decoder) && !is_of_named_head(files, own))
      refuse_unknown(tensor.path, tensor.entry);
    if (!own.starts_with("optimizer.") && !own.starts_with("mask.") &&
        !own.starts_with("objective.") && !own.starts_with("queue."))
      left_out.push_back(tensor.name);
  });
  if (!left_out.empty()) model.notes.push_back(left_out_note(files.path(), left_out));
  model.values = host_buffer<float>(model.layout.size());
  for (auto const& part : parts)
    read_entry(files.path_of(part.name),
               *files.find(part.name),
               files.find(scale_name(part.name)),
               part,
               model.values.span());
}

/// The values predicted for a patch; a decoder may have another objective than pixels.
inline index_t target_width_of(tensor_files const& files, pretrained_model const& model) {
  auto const* const head = files.find(names_in(model.names, "decoder_pred.bias").front());
  if (head == nullptr || head->shape.size() != 1) return model.sizes.patch_values();
  return head->shape[0];
}

}  // namespace detail

/// Reads a checkpoint of this library, of the official code or timm in safetensors, or of Hugging
/// Face's ViTMAE (a folder, a file or an index of shards). `options` say what its files do not;
/// what neither says is assumed, and noted. Throws io_error, format_error: a damaged file; a
/// pickle; a missing, extra or wrong tensor, with both shapes; two files that say different things
/// of one model; config_error for options that a file contradicts.
inline pretrained_model read_pretrained(std::string const& path, read_options const& options = {}) {
  auto const files = tensor_files::open(path);
  detail::require_known_architecture(files);
  auto const names = detail::known_naming(files);
  pretrained_model model{.path = files.path(), .names = names, .notes = files.notes()};
  model.crosses = names.is_official() && files.contains(first_cross_query);
  model.has_decoder =
      model.crosses || files.contains(names_in(names, "decoder_embed.weight").front());
  detail::checkpoint_description const found(files, names, model.has_decoder, options);
  model.sizes = found.sizes();
  model.description = found.entries();
  model.assumed = found.assumed();
  model.notes.insert(model.notes.end(), found.notes().begin(), found.notes().end());
  model.layout = detail::layout_of(model, model.sizes, detail::target_width_of(files, model));
  detail::read_values(files, model);
  detail::put(model.description, describe(model.sizes));
  for (std::string const stack : {"encoder", "decoder"})
    if (model.description[stack + "_heads"] == "0") model.description.erase(stack + "_heads");
  if (!model.has_decoder)
    std::erase_if(model.description,
                  [](auto const& entry) { return entry.first.starts_with("decoder_"); });
  model.description["position_order"] = position_order;
  return model;
}

}  // namespace mae
