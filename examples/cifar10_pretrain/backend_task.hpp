#pragma once

#include "beginning.hpp"
#include "chosen_mask.hpp"
#include "chosen_objective.hpp"
#include "configs.hpp"
#include "contrast_head.hpp"
#include "encoding.hpp"
#include "length.hpp"
#include "noise_flags.hpp"
#include "training_task.hpp"

#include <mae/core/config.hpp>
#include <mae/core/settings.hpp>
#include <mae/data/channel_statistics.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/normalise.hpp>
#include <mae/data/pixel_noise.hpp>
#include <mae/data/subset.hpp>
#include <mae/head/sigreg.hpp>
#include <mae/head/uniformity.hpp>
#include <mae/interop/put_pretrained.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/io/model_file.hpp>
#include <mae/mask/plan.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/encoder_of.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/optimizer/optional_average.hpp>
#include <mae/train/heldout.hpp>
#include <mae/train/trainer.hpp>

#include <array>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace pretrain {

/// Models whose decoder attends to all that is present.
struct self_decoding {
  template <mae::model_config config, class Backend, class... Heads>
  using model = mae::autoencoder<config, chosen_mask, Backend, chosen_objective, Heads...>;
  template <class Backend, class... Heads>
  using sized_model = mae::sized_autoencoder<chosen_mask, Backend, chosen_objective, Heads...>;
};

/// The heads beside a painter where images are compared: of weight 0 they are off.
template <class Backend, bool compares>
struct offered_heads {
  using type = std::tuple<mae::contrast, mae::sigreg, mae::uniformity>;
  using weights = std::array<double, 1 + std::tuple_size_v<type>>;  // the painter's first

  static type of(task_parts const& parts, Backend const& /*backend*/) {
    auto const& o = parts.settings;
    return {contrast_of(o), mae::sigreg{.views = o.views}, mae::uniformity{}};
  }
  static weights weights_of(options const& o) { return {1, o.contrast, o.sigreg, o.uniformity}; }
};
/// A painter alone.
template <class Backend>
struct offered_heads<Backend, false> {
  using type = std::tuple<>;
  using weights = std::array<double, 1>;

  static type of(task_parts const& /*parts*/, Backend const& /*backend*/) { return {}; }
  static weights weights_of(options const& /*o*/) { return {1}; }
};

/// The models of a decoder with a list of heads beside it.
template <class Decoding, class Backend, class Heads>
struct models_with;
template <class Decoding, class Backend, class... Heads>
struct models_with<Decoding, Backend, std::tuple<Heads...>> {
  using sized = typename Decoding::template sized_model<Backend, Heads...>;
  template <mae::model_config config>
  using of = typename Decoding::template model<config, Backend, Heads...>;
};

/// A task on one backend: compiled once for all configurations, and for a painter alone apart from
/// one beside heads that compare images, which costs more to compile; and for each kind of decoder.
template <class Backend, bool compares = true, class Decoding = self_decoding>
class backend_task final : public training_task {
  using heads = offered_heads<Backend, compares>;
  using models = models_with<Decoding, Backend, typename heads::type>;
  using model_type = typename models::sized;

 public:
  backend_task(task_parts const& parts, Backend backend, compute_description compute)
      : compute_(std::move(compute)),
        pictures_(parts.start.picture_entries),
        begun_with_(parts.start.begun_with),
        heldout_noise_(heldout_noise(parts.settings)),
        pictured_noise_(pictured_noise(parts.settings)),
        model_(make_model(parts, std::move(backend))),
        training_(model_,
                  parts.images,
                  training_options_for(parts.settings, parts.length),
                  rule_of(parts.settings)) {}

  compute_description compute() const override { return compute_; }
  mae::model_config const& config() const override { return model_.sizes().config; }
  mae::pixel_statistics const& statistics() const override { return model_.statistics(); }
  mae::pixel_noise const& noise() const override { return pictured_noise_; }
  chosen_mask const& mask() const override { return std::as_const(model_).mask(); }

  std::int64_t steps_per_epoch() const override { return training_.steps_per_epoch(); }
  std::int64_t total_steps() const override { return training_.total_steps(); }
  std::int64_t step() const override { return training_.progress().step; }
  mae::step_report train_step() override { return training_.step(); }
  bool train(mae::training_callbacks const& callbacks) override { return training_.run(callbacks); }

  mae::resume_report resume(std::filesystem::path const& file) override {
    return mae::load_training(file.string(), training_);
  }
  void save_training(std::filesystem::path const& file) const override {
    auto entries = pictures_;
    if (!begun_with_.empty()) entries.push_back({beginning::init_entry, begun_with_});
    mae::save_training(file.string(), training_, entries);
  }
  void save_model(std::filesystem::path const& file) const override {
    mae::save_model(file.string(), model_, pictures_);
  }
  void save_encoder(std::filesystem::path const& file) const override {
    mae::save_encoder(file.string(), model_, pictures_);
  }

  heldout_losses evaluate_heldout(image_set const& images, mae::index_t count) const override {
    return heldout_losses_of(
        mae::evaluate_heldout_heads(model_, images, count, heldout_noise_).heads);
  }
  part_encoder feature_encoder(image_set const& images) const override {
    auto const encoder =
        std::make_shared<mae::sized_encoder<Backend> const>(mae::encoder_of(model_));
    auto const features = [encoder, &images](mae::index_t first, mae::index_t size) {
      return encoder->features(mae::subset(images, first, size), mae::pooling::mean);
    };
    return {features, images_of_part(encoder->backend(), encoder->num_tokens())};
  }
  target_sample predict(std::span<float const> images, mae::mask_plan const& plan) const override {
    std::vector<float> input(images.begin(), images.end());
    mae::normalise_pixels(input, model_.statistics());
    target_sample sample =
        all_targets(model_.objective(), model_.sizes().config, input, plan.images());
    sample.predictions = model_.forward(input, plan).prediction;
    return sample;
  }
  std::vector<float> paint(std::span<float const> images,
                           mae::mask_plan const& plan) const override {
    std::vector<float> input(images.begin(), images.end());
    mae::normalise_pixels(input, model_.statistics());
    auto painted = model_.reconstruct(input, plan);
    mae::denormalise_pixels(painted, model_.statistics());
    return painted;
  }

 private:
  using rule_type = mae::optional_average<mae::adamw>;
  static rule_type rule_of(options const& settings) {
    mae::adamw const adamw{.weight_decay = settings.weight_decay};
    if (!settings.keeps_average()) return rule_type(adamw);
    return rule_type(adamw, settings.teacher_momentum);
  }
  /// A model of the chosen sizes; here alone they are the compiler's.
  static model_type make_sized_model(task_parts const& parts, Backend backend) {
    return with_config(parts.settings, [&](auto config) -> model_type {
      return make_with<decltype(config)::value>(parts, std::move(backend));
    });
  }
  template <mae::model_config config>
  static model_type make_with(task_parts const& parts, Backend backend) {
    auto const& o = parts.settings;
    auto beside = heads::of(parts, backend);
    return typename models::template of<config>({.seed = o.seed,
                                                 .mask = parts.mask,
                                                 .objective = parts.objective,
                                                 .backend = std::move(backend),
                                                 .linears = o.linears,
                                                 .positions = o.positions,
                                                 .visible_weight = o.visible_loss,
                                                 .levels = parts.levels,
                                                 .heads = std::move(beside),
                                                 .head_weights = heads::weights_of(o)});
  }
  /// Statistics and epsilon are those of what the training begins or goes on with, where it has
  /// some.
  static model_type make_model(task_parts const& parts, Backend backend) {
    auto model = make_sized_model(parts, std::move(backend));
    if (parts.settings.statistics == statistics_choice::imagenet)
      model.set_statistics(mae::imagenet_statistics());
    auto const& saved = parts.start.saved;
    auto const& initial = parts.start.initial;
    if (saved) {
      model.set_norm_epsilon(saved->norm_epsilon);
      if (!parts.settings.statistics_asked) model.set_statistics(saved->statistics);
    }
    if (initial)
      mae::load_pretrained(*initial,
                           model,
                           initial->has_decoder ? mae::pretrained_parts::encoder_and_decoder
                                                : mae::pretrained_parts::encoder);
    return model;
  }

  compute_description compute_;
  mae::settings_list pictures_;
  std::string begun_with_;
  mae::pixel_noise heldout_noise_;
  mae::pixel_noise pictured_noise_;
  model_type model_;
  mae::trainer<model_type, image_set, rule_type> training_;
};

}  // namespace pretrain
