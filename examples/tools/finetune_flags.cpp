#include "finetune_flags.hpp"

#include "feature_flags.hpp"
#include "flag_values.hpp"
#include "head_lists.hpp"
#include "training_plan.hpp"

#include <mae/core/settings.hpp>
#include <mae/model/configs.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <string_view>

namespace tools {

namespace {

constexpr double usual_layer_decay = 0.75;
constexpr double least_crop = 0.01;
constexpr std::uint64_t most_upsampling = 64;
constexpr pretrain::choice_words<mae::map_decoder, 2> decoder_words{
    {{"convolution", mae::map_decoder::convolution}, {"linear", mae::map_decoder::linear}}};

constexpr pretrain::choice_words<mae::norm_place, 2> norm_words{
    {{"final", mae::norm_place::tokens}, {"pooled", mae::norm_place::pooled}}};

template <class Field>
pretrain::reader share(Field& field) {
  return pretrain::number(
      field, "a number above 0, at most 1", [](double value) { return value > 0 && value <= 1; });
}

pretrain::flag_group what_is_learned(finetune_options& o) {
  return {"What is learned",
          {{"head",
            "NAME[:WEIGHT],...",
            "classes of images, segmentation (classes of pixels), keypoints; of several each\n"
            "with its weight in the loss [classes]",
            [&o](std::string const& text) { read_heads(text, o.head_weights); }},
           {"mask-ratio",
            "R|NAME=R,...",
            "hide this share of each image's patches from all heads, or from each named one;\n"
            "places that are hidden are not learned of [0]",
            [&o](std::string const& text) { read_hidden(text, o.hidden); }},
           pooling_flag(o.pool),
           {"norm",
            "final|pooled",
            "classes: the encoder's final norm of every token, or in its place a new one of\n"
            "what is pooled, as the official code's (fc_norm) [pooled for classes of the\n"
            "mean, where the encoder learns; else final]",
            [&o](std::string const& text) {
              auto const* const found =
                  std::ranges::find(norm_words, text, [](auto const& word) { return word.first; });
              if (found == norm_words.end())
                throw pretrain::usage_error("'" + text + "' is not one of final, pooled");
              o.norm = found->second;
            }}}};
}

pretrain::flag_group how_places_are_labelled(finetune_options& o) {
  return {"Where --head names segmentation or keypoints (docs/labels.md)",
          {{"instances",
            "",
            "segmentation: masks are DATA/labels, where each value above 0 is an instance,\n"
            "not DATA/masks, where it is a class",
            pretrain::set(o.instances)},
           {"split",
            "FILE.csv",
            "which pictures are to train on and to test on: columns image and part [the\n"
            "last fifth in the order of names are tests]",
            pretrain::words(o.split_table)},
           {"keypoints",
            "FILE.csv",
            "the points: columns image, NAME_x, NAME_y [DATA/keypoints.csv]",
            pretrain::words(o.keypoint_table)},
           pretrain::choice("decoder",
                            decoder_words,
                            o.decoder,
                            "from tokens to maps: ReLU, bilinear interpolation and a 3x3\n"
                            "convolution; or a linear layer and interpolation"),
           {"upsampling",
            "N",
            "how many times as fine as the tokens the decoder's maps are [4, at most the\n"
            "patch's side]",
            pretrain::whole(o.upsampling, 1, most_upsampling)},
           {"sigma",
            "X",
            pretrain::with_default("of a point's heat map, in cells of the map", o.sigma),
            pretrain::number(o.sigma, "a number of at least 0.25", [](double value) {
              return value >= 0.25 && value < 1e6;
            })}}};
}

pretrain::flag_group what_is_trained(finetune_options& o) {
  return {"What is trained, and on what",
          {model_flag(o),
           {"from-scratch",
            "",
            "an encoder that has learned nothing, of the sizes of --config",
            pretrain::set(o.from_scratch)},
           {"config",
            "NAME",
            pretrain::with_default("sizes for --from-scratch", o.config),
            [&o](std::string const& text) {
              static_cast<void>(sizes_by_name(text));
              o.config = text;
            }},
           data_flag(o),
           unreadable_flag(o),
           pretrain::max_pixels_flag(o.settings),
           pretrain::test_flag(o.settings.tests),
           {"label-fraction",
            "F",
            "train on this share of each class's images, at least one, chosen by the\n"
            "seed; their numbers are in OUT/images.csv [1]",
            share(o.label_fraction)},
           sides_flag("resize-images",
                      "train on images of this size; a checkpoint's positions are resampled\n"
                      "[as large as the model's]",
                      o.resized),
           {"out",
            "DIR",
            pretrain::with_default("where everything is written", o.out),
            pretrain::words(o.out)},
           {"tensorboard",
            "",
            "also write OUT/tensorboard, event files for TensorBoard",
            pretrain::set(o.tensorboard)},
           {"resume", "", "go on with the training that --out holds", pretrain::set(o.resume)},
           pretrain::settings_flag("mae_finetune", o.repeated),
           {"dry-run",
            "",
            "say parameters, operations, memory, steps and time (four steps are\n"
            "tried), and end without writing anything",
            pretrain::set(o.dry_run)}}};
}

pretrain::flag_group how(finetune_options& o) {
  constexpr std::uint64_t most_batch = 1 << 20;
  return {"How it is trained",
          {{"epochs",
            "N",
            pretrain::with_default("", static_cast<double>(o.epochs)),
            pretrain::whole(o.epochs, 1, pretrain::a_billion)},
           {"batch",
            "N",
            pretrain::with_default("images of a step", static_cast<double>(o.batch)),
            pretrain::whole(o.batch, 1, most_batch)},
           {"base-lr",
            "X",
            pretrain::with_default("learning rate of 256 images; that of a step is in proportion",
                                   o.base_lr),
            pretrain::positive(o.base_lr)},
           {"warmup-epochs",
            "X",
            "the learning rate rises so long [a twentieth of the epochs]",
            pretrain::not_negative(o.warmup_epochs)},
           {"layer-decay",
            "X",
            "each block learns X times as fast as the one after it [0.75; from\n"
            "scratch 1]",
            share(o.layer_decay)},
           {"weight-decay",
            "X",
            pretrain::with_default("of matrices", o.weight_decay),
            pretrain::not_negative(o.weight_decay)},
           {"smoothing",
            "X",
            pretrain::with_default("of labels", o.smoothing),
            pretrain::number(o.smoothing,
                             "a number from 0, below 1",
                             [](double value) { return value >= 0 && value < 1; })},
           {"crop-min",
            "X",
            pretrain::with_default("the least share of an image that a random crop keeps; 1: none",
                                   o.crop_min),
            pretrain::number(o.crop_min,
                             "a number from 0.01 to 1",
                             [](double value) { return value >= least_crop && value <= 1; })},
           {"seed",
            "N",
            pretrain::with_default("the same seed gives the same result",
                                   static_cast<double>(o.settings.seed)),
            pretrain::whole(o.settings.seed, 0, std::numeric_limits<std::uint64_t>::max())},
           threads_flag(o)}};
}

}  // namespace

mae::training_options finetune_options::training(mae::index_t images) const {
  constexpr double warmup_share = 0.05;
  mae::index_t const taken = std::min(batch, images);
  return {.seed = settings.seed,
          .batch_size = taken,
          .epochs = epochs,
          .lr = mae::scaled_lr(base_lr, taken),
          .warmup_epochs = warmup_epochs.value_or(warmup_share * static_cast<double>(epochs)),
          .groups = {.layer_decay = layer_decay.value_or(from_scratch ? 1 : usual_layer_decay),
                     .tokens_decay = false},
          .augment = {.crop_min = crop_min, .flip = mirrors}};
}

mae::norm_place finetune_options::final_norm() const {
  bool const is_recipe = trains(class_head) && !labels_places() && pool == mae::pooling::mean &&
                         recipe.frozen != mae::whole_encoder;
  return norm.value_or(is_recipe ? mae::norm_place::pooled : mae::norm_place::tokens);
}

double finetune_options::hidden_share(std::size_t head) const {
  std::size_t seen = head;
  for (std::size_t other = num_heads; !trains(head) && other-- > 0;)
    if (trains(other)) seen = other;
  return hidden.of(seen);
}

double finetune_options::image_flops(mae::model_config const& sizes) const {
  std::set<double> shares;
  for (std::size_t head = 0; head < num_heads; ++head)
    if (trains(head)) shares.insert(hidden_share(head));
  auto const patches = static_cast<double>(sizes.num_patches());
  double flops = 0;
  for (double const share : shares) flops += pretrain::encoder_flops(sizes, (1 - share) * patches);
  return flops;
}

std::string finetune_options::heads_text() const {
  std::string text;
  auto const on = std::ranges::count_if(head_weights, [](double weight) { return weight > 0; });
  for (std::size_t head = 0; head < num_heads; ++head) {
    if (!trains(head)) continue;
    (text += text.empty() ? "" : ",") += head_words[head];
    if (on > 1) text += ':' + mae::decimal_text(head_weights[head]);
  }
  return text;
}

averaged_adamw finetune_options::rule() const {
  return {{.weight_decay = weight_decay, .beta2 = 0.999}, recipe.average};
}

std::vector<pretrain::flag_group> flags_for(finetune_options& o) {
  return {what_is_trained(o),
          what_is_learned(o),
          how_places_are_labelled(o),
          how(o),
          recipe_group(o.recipe),
          known_group(o)};
}

namespace {

void check_heads(pretrain::given_flags const& given, finetune_options const& o) {
  struct of_head {
    std::size_t head;
    char const* flag;
  };
  for (auto const& [head, flag] : {of_head{class_head, "pool"},
                                   of_head{class_head, "norm"},
                                   of_head{class_head, "smoothing"},
                                   of_head{segmentation_head, "instances"},
                                   of_head{keypoint_head, "keypoints"},
                                   of_head{keypoint_head, "sigma"}})
    if (given.contains(flag) && !o.trains(head))
      throw pretrain::usage_error("--" + std::string(flag) + " has no meaning without --head " +
                                  head_words[head]);
  for (std::size_t head = 0; head < num_heads; ++head)
    if (o.hidden.of_head[head] && !o.trains(head))
      throw pretrain::usage_error("--mask-ratio " + std::string(head_words[head]) +
                                  " has no meaning without --head " + head_words[head]);
  if (o.final_norm() == mae::norm_place::pooled && o.labels_places())
    throw pretrain::usage_error(
        "--norm pooled is of --head classes alone: other heads read every token");
  if (o.final_norm() == mae::norm_place::pooled && o.pool == mae::pooling::both)
    throw pretrain::usage_error("--norm pooled needs --pool mean or class: it is as wide as one");
}

void check_places(pretrain::given_flags const& given, finetune_options const& o) {
  for (char const* const flag : {"decoder", "upsampling", "split"})
    if (given.contains(flag) && !o.labels_places())
      throw pretrain::usage_error("--" + std::string(flag) +
                                  " has no meaning without --head segmentation or keypoints");
  if (o.labels_places() && !given.contains("data"))
    throw pretrain::usage_error(
        "--data names the folder with images/ and their labels (docs/labels.md), or 'synthetic'");
  if (o.labels_places() && given.contains("test-part"))
    throw pretrain::usage_error("--test-part has no meaning where places are labelled: --split");
}

void check_beginning(pretrain::given_flags const& given, finetune_options const& o) {
  if (o.from_scratch && given.contains("model"))
    throw pretrain::usage_error("--from-scratch and --model contradict each other");
  for (char const* const flag :
       {"heads", "decoder-heads", "image-size", "patch-size", "norm-epsilon"})
    if (o.from_scratch && given.contains(flag))
      throw pretrain::usage_error("--" + std::string(flag) +
                                  " has no meaning with --from-scratch: --config has its own");
  if (!o.from_scratch && given.contains("config"))
    throw pretrain::usage_error(
        "--config has no meaning with --model: the checkpoint has its own sizes");
  if (!o.from_scratch && !given.contains("model"))
    throw pretrain::usage_error(
        "--model names the checkpoint to fine-tune, --from-scratch begins without one; see --help");
}

}  // namespace

void check_combinations(pretrain::given_flags const& given, finetune_options const& o) {
  check_heads(given, o);
  check_places(given, o);
  check_beginning(given, o);
}

mae::model_config sizes_by_name(std::string const& name) {
  std::string known;
  for (auto const& [own, config] : mae::configs::all) {
    if (own == name) return config;
    (known += known.empty() ? "" : ", ") += own;
  }
  throw pretrain::usage_error("'" + name + "' is not one of " + known);
}

}  // namespace tools
