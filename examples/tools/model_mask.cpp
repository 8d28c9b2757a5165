#include "model_mask.hpp"

#include "assumed.hpp"
#include "mask_flags.hpp"

#include <mae/core/error.hpp>
#include <mae/io/mask_file.hpp>
#include <mae/mask/learning.hpp>

#include <algorithm>
#include <iostream>
#include <string>
#include <string_view>

namespace tools {

namespace {

/// Whether a mask's setting is one that the tools' flags say; others are those of its training.
bool has_flag(std::string entry) {
  std::replace(entry.begin(), entry.end(), '_', '-');
  pretrain::options unused;
  auto const flags = pretrain::mask_flags(unused, pretrain::mask_use::showing);
  return std::any_of(
      flags.begin(), flags.end(), [&](auto const& flag) { return flag.name == entry; });
}

}  // namespace

pretrain::chosen_mask mask_of(common_options const& o,
                              mae::pretrained_model const& model,
                              pretrain::image_set const& images,
                              mae::thread_pool& threads,
                              std::string_view own_entry) {
  if (o.settings.mask_measure == pretrain::density_choice::loss)
    throw pretrain::usage_error("--mask-measure loss is known of the images of a training alone");
  auto mask = pretrain::make_mask(o.settings, images, model.sizes, threads);
  std::string const name(pretrain::name(o.settings.mask));
  if (mae::learns(mask) && (model.entry("mask") != name || !mae::load_mask(model.path, mask)))
    throw mae::config_error(model.path + ": holds no mask that was learned by --mask " + name +
                            "; a model.safetensors that was trained with it does");
  if (mae::learns(mask))
    for (auto const& [entry, value] : mask.settings())
      if (auto const trained = model.entry(entry);
          trained && *trained != value && entry != own_entry && has_flag(entry))
        pretrain::say_assumed(
            std::cerr, entry + " " + value + ", as the flags say; the training had " + *trained);
  return mask;
}

}  // namespace tools
