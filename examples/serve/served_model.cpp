#include "served_model.hpp"

#include "picture_settings.hpp"

#include <mae/core/error.hpp>
#include <mae/core/text.hpp>
#include <mae/core/version.hpp>
#include <mae/io/json_writer.hpp>

#include <filesystem>
#include <ostream>
#include <system_error>

namespace serve {
namespace {

using mae::index_t;

bool is_same_file(std::string const& one, std::string const& other) {
  std::error_code unknown;
  return one == other || std::filesystem::equivalent(one, other, unknown);
}

mae::json_object to_json(mae::model_config const& sizes) {
  mae::json_object image;
  image.add("height", sizes.image.height)
      .add("width", sizes.image.width)
      .add("channels", sizes.image.channels);
  mae::json_object patch;
  patch.add("height", sizes.patch.height).add("width", sizes.patch.width);
  mae::json_object encoder;
  encoder.add("depth", sizes.encoder.depth)
      .add("width", sizes.encoder.width)
      .add("heads", sizes.encoder.heads);
  mae::json_object all;
  return all.add("image", image)
      .add("patch", patch)
      .add("patches", sizes.num_patches())
      .add("encoder", encoder);
}

std::string json_list(std::vector<std::string> const& texts) {
  std::string list = "[";
  for (auto const& text : texts) (list += list.size() > 1 ? "," : "") += mae::json_string(text);
  return list + ']';
}

}  // namespace

served_model::served_model(serve_options const& o,
                           std::shared_ptr<mae::thread_pool> const& threads,
                           std::ostream& notes,
                           encoding_beside const& beside)
    : precision_(o.precision) {
  auto const model = tools::read_model(o, notes);
  encoder_ = open(model, o, !o.known.fit.empty(), threads, notes);
  if (can_paint(model)) painter_ = std::make_unique<painter const>(model, threads, notes);
  if (!o.classifier.empty()) {
    if (is_same_file(o.classifier, o.model)) {
      classifier_ = read_class_head(model);
      classifying_ = encoder_;
    } else {
      tools::common_options other;
      other.model = o.classifier;
      auto const tuned = tools::read_model(other, notes);
      classifier_ = read_class_head(tuned);
      classifying_ = open(tuned, o, false, threads, notes);
    }
  }
  try_out();
  if (o.gallery.empty()) return;
  gallery_ = std::make_unique<gallery const>(
      gallery_source{.folder = o.gallery,
                     .skips_unreadable = o.settings.unreadable == pretrain::unreadable_choice::skip,
                     .pictures = encoder_->pictures,
                     .features = encoder_->compute.features},
      *threads,
      notes,
      beside);
}

std::shared_ptr<served_model::opened_encoder const> served_model::open(
    mae::pretrained_model const& model,
    serve_options const& o,
    bool is_fit_given,
    std::shared_ptr<mae::thread_pool> const& threads,
    std::ostream& notes) {
  auto const settings = pretrain::settings_for_pictures(
      {.path = model.path, .image = model.sizes.image, .is_fit_given = is_fit_given},
      model.pictures(),
      notes);
  index_t const channels = model.sizes.image.channels;
  if (channels != 1 && channels != 3)
    throw mae::config_error(model.path + ": its images have " + std::to_string(channels) +
                            " channels, pictures have 1 or 3");
  return std::make_shared<opened_encoder const>(
      opened_encoder{.sizes = model.sizes,
                     .pictures = {.extent = model.sizes.image,
                                  .fit = settings.fit,
                                  .kind = settings.kind,
                                  .limits = {.pixels = o.settings.max_pixels}},
                     .compute = open_encoder(model, o.precision, threads)});
}

/// Computes a grey image of each task: packs weights, and finds values that are not finite before
/// anybody asks.
void served_model::try_out() const {
  constexpr std::uint8_t grey = 128;
  for (auto const what :
       {task::features, task::tokens, task::classify, task::reconstruct, task::attention}) {
    if (!offers(what)) continue;
    auto const& of = sizes(what);
    image_batch batch{.what = what, .images = 1};
    batch.pixels.assign(static_cast<std::size_t>(of.image.values()), grey);
    if (what == task::reconstruct) batch.hidden = draw_hidden(of, 0.5, 0);
    auto const values = compute(batch);
    if (what == task::reconstruct)
      static_cast<void>(
          png_of_painting(of, batch.pixels, values, batch.hidden, painting_view::painted));
  }
}

bool served_model::offers(task what) const {
  switch (what) {
    case task::classify:
      return classifier_.has_value();
    case task::reconstruct:
      return painter_ != nullptr;
    case task::attention:
      return static_cast<bool>(encoder_->compute.attention);
    case task::neighbours:
      return gallery_ != nullptr;
    case task::features:
    case task::tokens:
    case task::view:
      break;
  }
  return true;
}

mae::model_config const& served_model::sizes(task what) const {
  return encoder(what).sizes;
}

index_t served_model::width(image_batch const& batch) const {
  auto const& of = sizes(batch.what);
  index_t const tokens = of.num_patches() + 1;
  if (batch.what == task::reconstruct) return of.image.values();
  if (batch.what == task::attention)
    return (batch.attention.each_head ? of.encoder.heads : 1) * tokens * tokens;
  return (batch.what == task::tokens ? tokens : 2) * of.encoder.width;
}

std::vector<std::uint8_t> served_model::decode(task what,
                                               std::string const& name,
                                               std::string_view picture) const {
  auto const bytes = std::as_bytes(std::span(picture));
  return mae::decode_fitted(name, bytes, encoder(what).pictures).pixels;
}

std::vector<float> served_model::compute(image_batch const& batch) const {
  if (batch.what == task::reconstruct) return painter_->paint(batch.pixels, batch.hidden);
  auto const& compute = encoder(batch.what).compute;
  if (batch.what == task::attention) return compute.attention(batch.pixels, batch.attention);
  return batch.what == task::tokens ? compute.tokens(batch.pixels) : compute.features(batch.pixels);
}

std::string served_model::describe() const {
  mae::json_object all;
  all.add("program", "mae_serve").add("version", MAE_VERSION);
  all.add("precision", name(precision_))
      .add("activations", encoder_->compute.activations)
      .add("model", to_json(encoder_->sizes));
  index_t const width = encoder_->sizes.encoder.width;
  mae::json_object widths;
  widths.add("mean", width).add("class", width).add("both", 2 * width);
  all.add("feature_widths", widths)
      .add("reconstructs", offers(task::reconstruct))
      .add("attention", offers(task::attention));
  if (gallery_ != nullptr)
    all.add("gallery", mae::json_object().add("pictures", gallery_->size()));
  else
    all.add_json("gallery", "null");
  if (classifier_) {
    auto tuned = to_json(classifying_->sizes);
    tuned.add_json("classes", json_list(classifier_->names));
    all.add("classifier", tuned);
  } else {
    all.add_json("classifier", "null");
  }
  return all.line() + '\n';
}

std::string served_model::sentence() const {
  auto const& of = encoder_->sizes;
  return "an encoder of " + std::to_string(of.encoder.depth) + " blocks of width " +
         std::to_string(of.encoder.width) + " for images of " + mae::to_string(of.image) + ", " +
         std::string(name(precision_)) + "; features" +
         (classifier_ ? ", " + std::to_string(classifier_->classes()) + " classes" : "") +
         (painter_ != nullptr ? ", reconstructions" : "") +
         (gallery_ != nullptr ? ", a gallery of " + std::to_string(gallery_->size()) + " pictures"
                              : "");
}

}  // namespace serve
