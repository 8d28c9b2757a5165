#include "checkpoint_flags.hpp"

#include "picture_settings.hpp"

#include <mae/core/text.hpp>

#include <cstdint>
#include <limits>
#include <ostream>

namespace tools {

pretrain::flag model_flag(common_options& o) {
  return {"model",
          "FILE|DIR",
          "the checkpoint: a safetensors file of this library, of the official\n"
          "code or timm, or a folder of Hugging Face's or timm's\n"
          "(docs/interop.md)",
          pretrain::words(o.model)};
}

pretrain::flag data_flag(common_options& o) {
  return {"data",
          "FILE|DIR|synthetic",
          "a picture (PNG, JPEG), a folder of them (folders in it are classes;\n"
          "train, test and val its parts), a folder of CIFAR-10's binary version,\n"
          "or 'synthetic' for made-up images; without this flag: the folder named\n"
          "by MAE_CIFAR10_DIR, else data/, else synthetic",
          pretrain::words(o.settings.data)};
}

pretrain::flag unreadable_flag(common_options& o) {
  return pretrain::choice("unreadable",
                          pretrain::unreadable_words,
                          o.settings.unreadable,
                          "what to do about a picture that cannot be decoded: end with its\n"
                          "name, or go on without it and say so");
}

pretrain::flag seed_flag(common_options& o) {
  return {"seed",
          "N",
          pretrain::with_default("the same seed gives the same masks",
                                 static_cast<double>(o.settings.seed)),
          pretrain::whole(o.settings.seed, 0, std::numeric_limits<std::uint64_t>::max())};
}

pretrain::flag threads_flag(common_options& o) {
  constexpr std::uint64_t most = 1024;
  return {"threads",
          "N",
          pretrain::with_default("threads; 0: one for every core that the process may use",
                                 o.settings.threads),
          pretrain::whole(o.settings.threads, 0, most)};
}

pretrain::flag_group known_group(common_options& o) {
  return {known_title, known_flags(o.known)};
}

void say_notes(mae::pretrained_model const& model, std::ostream& notes) {
  for (auto const& note : model.notes) notes << mae::printable(note) << '\n';
}

mae::pretrained_model read_model(common_options const& o, std::ostream& notes) {
  if (o.model.empty())
    throw pretrain::usage_error("--model names the checkpoint to read; see --help");
  auto model = mae::read_pretrained(o.model, sizes_of(o.known));
  say_pictures(o.known, model);
  say_notes(model, notes);
  assume_statistics(model, notes);
  return model;
}

void request_pictures(common_options const& o,
                      mae::pretrained_model const& model,
                      pretrain::data_source const& source,
                      pretrain::image_request& request,
                      std::ostream& notes) {
  if (source.kind == pretrain::data_kind::pictures) {
    auto const settings = pretrain::settings_for_pictures(
        {.path = model.path, .image = model.sizes.image, .is_fit_given = !o.known.fit.empty()},
        model.pictures(),
        notes);
    request.fit = settings.fit;
    request.kind = settings.kind;
  } else if (model.pictures().resample == "bilinear") {
    request.kind = mae::interpolation::bilinear;
  }
}

}  // namespace tools
