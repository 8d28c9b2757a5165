#include "model_mask.hpp"

#include "assumed.hpp"

#include <mae/core/error.hpp>
#include <mae/io/mask_file.hpp>
#include <mae/mask/learning.hpp>

#include <iostream>
#include <string>
#include <string_view>

namespace tools {

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
          trained && *trained != value && entry != own_entry)
        pretrain::say_assumed(
            std::cerr, entry + " " + value + ", as the flags say; the training had " + *trained);
  return mask;
}

}  // namespace tools
