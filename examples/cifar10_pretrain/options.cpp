#include "options.hpp"

#include "assumed.hpp"
#include "colour_flags.hpp"
#include "contrast_flags.hpp"
#include "flag_values.hpp"
#include "mask_flags.hpp"
#include "noise_flags.hpp"
#include "objective_flags.hpp"
#include "picture_settings.hpp"
#include "schedule_flags.hpp"

#include <mae/core/error.hpp>
#include <mae/core/version.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <ostream>
#include <sstream>
#include <utility>
#include <vector>

namespace pretrain {
namespace {

/// What a configuration proposes where the command line is silent.
struct preset {
  int decoder_depth = 2;
  mae::index_t batch_size = 256;
  double crop_min = 0.3;
  bool flip = true;
  double lr = 1e-3;
  std::int64_t epochs = 20;
  std::int64_t warmup_steps = 0;
  objective_choice objective = objective_choice::normalised;
  statistics_choice statistics = statistics_choice::data;
};

constexpr preset preset_of(model_choice config) {
  switch (config) {
    case model_choice::tiny4:
      break;
    case model_choice::tiny2:
      return {.decoder_depth = 4};
    case model_choice::quick4:
      return {.batch_size = 128, .crop_min = 0.6};
    case model_choice::micro8:
      return {.decoder_depth = 1, .crop_min = 0.6};
    case model_choice::base16:
      return {.decoder_depth = 8,
              .batch_size = 64,
              .crop_min = 1,
              .flip = false,
              .lr = 1e-4,
              .epochs = 8,
              .warmup_steps = 1000,
              .objective = objective_choice::pixels,
              .statistics = statistics_choice::imagenet};
  }
  return {};
}

/// Reads "5" (epochs), "30m" or "1.5h".
reader interval(save_interval& field) {
  constexpr double minute = 60;
  constexpr double hour = 60 * minute;
  return [&field](std::string const& text) {
    bool const in_minutes = text.ends_with('m');
    if (!in_minutes && !text.ends_with('h')) {
      auto const epochs = parse_number<std::uint64_t>(text);
      if (!epochs || *epochs > a_billion)
        throw usage_error("must be epochs (5), minutes (30m) or hours (1.5h), not " + text);
      field = {.epochs = static_cast<std::int64_t>(*epochs), .seconds = {}};
      return;
    }
    double const count = checked_number(text.substr(0, text.size() - 1),
                                        "a number above 0 before m (minutes) or h (hours)",
                                        [](double value) { return value > 0; });
    field = {.epochs = 0, .seconds = count * (in_minutes ? minute : hour)};
  };
}

// ---- the flags, in the order of the help -------------------------------------------------------

flag_group data_flags(options& o) {
  return {"Data and results",
          {{"data",
            "DIR|synthetic",
            "folder of CIFAR-10's binary version (data_batch_1.bin ...), or of\n"
            "pictures (PNG, JPEG; folders in it are classes; train, test and val\n"
            "its parts), or 'synthetic' for ten made-up classes of images; without\n"
            "this flag: the folder named by MAE_CIFAR10_DIR, else data/, else\n"
            "synthetic",
            words(o.data)},
           choice("unreadable",
                  unreadable_words,
                  o.unreadable,
                  "what to do about a picture that cannot be decoded: end with its\n"
                  "name, or go on without it and say so"),
           max_pixels_flag(o),
           fit_flag(o.fit, "crop, or as --init's checkpoint says"),
           resample_flag(o.resample, "bicubic, or as --init's checkpoint says"),
           test_flag(o.tests),
           {"out",
            "DIR",
            with_default("folder for results, made when missing; one that holds a training\n"
                         "already is refused unless --resume is given",
                         o.out.string()),
            words(o.out)},
           {"resume",
            "",
            "go on exactly where DIR/training.safetensors stopped, with the same\n"
            "images; give the flags of that training again, but not --init (a\n"
            "limit may be raised)",
            set(o.resume)},
           {"save-every",
            "N|Nm|Nh",
            with_default("write DIR/training.safetensors every N epochs, minutes or hours; 0:\n"
                         "only at the end (an interrupt saves always)",
                         static_cast<double>(o.save_every.epochs)),
            interval(o.save_every)}}};
}

flag_group model_flags(options& o) {
  std::vector<flag> flags{
      choice("config",
             model_words,
             o.config,
             "quick4: patch 4, encoder 6 blocks x 256 wide, decoder 2 x 128\n"
             "tiny4:  patch 4, encoder 12 x 192, decoder 2 x 96\n"
             "tiny2:  patch 2, encoder 12 x 192, decoder 4 x 192 (8 x slower)\n"
             "base16: ViT-B/16 on images of 224x224 and its own recipe: 8 epochs of\n"
             "batches of 64, 1000 steps of warm-up to 1e-4, no crops or flips,\n"
             "plain pixels, ImageNet's statistics\n"
             "micro8: patch 8, encoder 1 x 48, decoder 1 x 24, for a first try\n"),
      {"init",
       "FILE",
       "begin with the values of a checkpoint (this library's, or others':\n"
       "docs/interop.md), of an encoder's file with the encoder's alone, and\n"
       "with its pixel statistics and its way to fit pictures, where it has\n"
       "some",
       words(o.init)},
      {"decoder-depth",
       "2|6",
       "blocks of tiny4's decoder [2]",
       number(o.decoder_depth, "2 or 6", [](double value) { return value == 2 || value == 6; })},
      choice("decoder",
             decoder_words,
             o.decoder,
             "self: its tokens are all patches, and attend to each other; cross: to\n"
             "what the encoder made of the visible ones, from hidden ones alone, in\n"
             "less time (CrossMAE; docs/objectives.md)"),
      choice("initialiser",
             linear_start_words,
             o.linears,
             "how linear layers begin: Xavier uniform with zero biases, as in the\n"
             "paper, or smaller, as PyTorch's own do (docs/results.md)"),
      choice("positions",
             position_table_words,
             o.positions,
             "tables of positions, the decoder's too, stay sines and cosines, as in\n"
             "the paper, or begin so and are learned"),
      choice("statistics",
             statistics_words,
             o.statistics,
             "what pixels are normalised by: the training images' own mean and\n"
             "deviation, or ImageNet's (base16); a checkpoint's own, where a\n"
             "training begins or goes on with one")};
  for (auto& objective : objective_flags(o)) flags.push_back(std::move(objective));
  for (auto& contrast : contrast_flags(o)) flags.push_back(std::move(contrast));
  for (auto& schedule : schedule_flags(o)) flags.push_back(std::move(schedule));
  for (auto& mask : mask_flags(o, mask_use::training)) flags.push_back(std::move(mask));
  for (auto& of_noise : noise_flags(o)) flags.push_back(std::move(of_noise));
  return {"Model and task", std::move(flags)};
}

flag_group length_flags(options& o) {
  return {"Length (the training ends at the first limit reached)",
          {{"epochs",
            "N",
            "passes over the training images [20, of base16 8, when no limit is\n"
            "given]",
            whole(o.epochs, 1, a_billion)},
           {"steps", "N", "optimizer steps", whole(o.steps, 1, a_billion)},
           {"minutes",
            "T",
            "minutes of training, without the final evaluation. As the only limit\n"
            "it also drives the learning rate, which then falls to 0 over the time\n"
            "that has passed; otherwise it merely ends a longer training early",
            positive(o.minutes)}}};
}

/// What a field is in each configuration: "0.00015 for base16, else 0.001".
std::string of_configs(auto preset::*field) {
  std::ostringstream text;
  auto const usual = preset_of(model_choice::tiny4).*field;
  for (auto const& [word, config] : model_words)
    if (auto const own = preset_of(config).*field; own != usual)
      text << own << " for " << word << ", ";
  text << "else " << usual;
  return text.str();
}

flag_group optimizer_flags(options& o) {
  return {"Optimisation",
          {{"batch-size",
            "N",
            with_default("images of a batch; without this flag a smaller set lowers it\n",
                         of_configs(&preset::batch_size)),
            whole(o.batch_size, 1, 50000)},
           {"accumulate",
            "N",
            with_default("batches whose gradients are summed for one step",
                         static_cast<double>(o.accumulate)),
            whole(o.accumulate, 1, 4096)},
           {"lr",
            "RATE",
            with_default("learning rate after warm-up, absolute\n", of_configs(&preset::lr)),
            positive(o.lr)},
           {"base-lr",
            "RATE",
            "learning rate for 256 images a step, scaled by the images of a step\n"
            "(the paper's rule); instead of --lr",
            positive(o.base_lr)},
           {"weight-decay",
            "RATE",
            with_default("AdamW's decay of weight matrices", o.weight_decay),
            not_negative(o.weight_decay)},
           {"clip",
            "NORM",
            with_default("greatest global norm of the gradient; 0: no clipping", o.clip),
            not_negative(o.clip)},
           {"warmup-epochs",
            "EPOCHS",
            "epochs over which the learning rate rises from 0; fractions allowed\n"
            "[5% of the training, of base16's 1000 steps]",
            not_negative(o.warmup_epochs)},
           {"crop-min",
            "SHARE",
            with_default("least share of an image's area that a random crop keeps; 1: no crop\n",
                         of_configs(&preset::crop_min)),
            number(o.augment.crop_min,
                   "a number above 0 and at most 1",
                   [](double value) { return value > 0 && value <= 1; })},
           choice("interpolation",
                  interpolation_words,
                  o.augment.kind,
                  "how a crop becomes a whole image again\n")}};
}

flag_group evaluation_flags(options& o) {
  return {"Evaluation",
          {choice("probe",
                  probe_words,
                  o.probe,
                  "how the frozen encoder is graded with labels: by nearest\n"
                  "neighbours, by a linear classifier, by both or not at all"),
           {"probe-every",
            "EPOCHS",
            with_default("also grade every so many epochs; 0: only at the end",
                         static_cast<double>(o.probe_every)),
            whole(o.probe_every, 0, a_billion)},
           {"probe-images",
            "N",
            with_default("grade on the first N training images; 0: on all",
                         static_cast<double>(o.probe_images)),
            whole(o.probe_images, 0, a_billion)},
           {"heldout-images",
            "N",
            with_default("measure the held-out loss on the first N test images; 0: on all",
                         static_cast<double>(o.heldout_images)),
            whole(o.heldout_images, 0, a_billion)}}};
}

flag_group run_flags(options& o) {
  return {"Running",
          {{"seed",
            "N",
            with_default("the same seed gives the same model", static_cast<double>(o.seed)),
            whole(o.seed, 0, std::numeric_limits<std::uint64_t>::max())},
           {"threads",
            "N",
            with_default("threads; 0: one for every core that the process\n"
                         "may use. They change the speed, never the result",
                         o.threads),
            whole(o.threads, 0, 1024)},
           choice("backend",
                  backend_words,
                  o.backend,
                  "what computes. eigen: the processor, fastest there; thrust-cpp,\n"
                  "thrust-omp, thrust-tbb: Thrust on it; cuda: an NVIDIA GPU"),
           choice("precision",
                  precision_words,
                  o.precision,
                  "fp32; tf32 (cuda): products of TensorFloat-32; bf16: products of\n"
                  "bfloat16, all else in fp32: faster on GPUs, on Zen 4 and with\n"
                  "AMX; slower on Intel's processors without AMX and on those\n"
                  "without bfloat16"),
           {"preview",
            "",
            "show reconstructions in the terminal (24-bit colour) at every epoch",
            set(o.preview)},
           {"quiet", "", "print nothing but the final summary", set(o.quiet)},
           {"tensorboard",
            "",
            "also write DIR/tensorboard, event files for TensorBoard",
            set(o.tensorboard)},
           settings_flag(program_name, o.repeated),
           {"dry-run",
            "",
            "say parameters, operations, memory, steps and time (four steps are\n"
            "tried), and end without writing anything",
            set(o.dry_run)}}};
}

// ---- what must hold between flags --------------------------------------------------------------

void check_combinations(given_flags const& given, options const& o) {
  check_mask(given, o);
  check_objective(given, o);
  check_contrast(given, o);
  check_schedules(given, o);
  check_colours(given);
  check_noise(given, o);
  if (given.contains("decoder-depth") && o.config != model_choice::tiny4)
    throw usage_error("--decoder-depth belongs to --config tiny4; " + std::string(name(o.config)) +
                      " has a decoder of " + std::to_string(preset_of(o.config).decoder_depth) +
                      " blocks");
  if (o.decoder == decoder_choice::cross && o.precision == precision_choice::bf16)
    throw usage_error("--decoder cross is trained in fp32: leave --precision bf16");
  if (o.decoder == decoder_choice::cross && o.backend != backend_choice::eigen)
    throw usage_error("--decoder cross is trained on the processor: leave --backend " +
                      std::string(name(o.backend)) +
                      " (programs of one's own have mae::cross_autoencoder on every backend)");
  if (given.contains("lr") && given.contains("base-lr"))
    throw usage_error("give either --lr (absolute) or --base-lr (for 256 images a step), not both");
  if (given.contains("probe-every") && o.probe == probe_choice::none)
    throw usage_error("--probe-every has no meaning with --probe none");
  if (given.contains("probe-images") && o.probe == probe_choice::none)
    throw usage_error("--probe-images has no meaning with --probe none");
  if (o.precision == precision_choice::tf32 && o.backend != backend_choice::cuda)
    throw usage_error("--precision tf32 is a GPU's: give --backend cuda, or another precision");
  if (!o.init.empty() && o.resume)
    throw usage_error(
        "--init begins a training, --resume goes on with one that keeps what --init gave it: leave "
        "--init away");
  if (o.preview && o.quiet)
    throw usage_error("--preview shows pictures and --quiet forbids them: give one of the two");
}

void fill_gaps(given_flags const& given, options& o) {
  preset const defaults = preset_of(o.config);
  if (!given.contains("decoder-depth")) o.decoder_depth = defaults.decoder_depth;
  o.batch_fits = !given.contains("batch-size");
  if (o.batch_fits) o.batch_size = defaults.batch_size;
  if (!given.contains("crop-min")) o.augment.crop_min = defaults.crop_min;
  if (!given.contains("lr")) o.lr = defaults.lr;
  if (!given.contains("objective")) o.objective = defaults.objective;
  fill_contrast(given, o);
  fill_schedules(o);
  o.statistics_asked = given.contains("statistics");
  if (!o.statistics_asked) o.statistics = defaults.statistics;
  o.augment.flip = defaults.flip;
  o.warmup_steps = defaults.warmup_steps;
  if (!o.epochs && !o.steps && !o.minutes && !o.resume) o.epochs = defaults.epochs;
}

constexpr char const* introduction =
    "Trains a masked autoencoder: most of an image's patches are hidden, and the network learns\n"
    "to paint them from the rest. What its encoder learned on the way is graded with labels.\n"
    "Usage: cifar10_pretrain [flags]\n";

constexpr char const* example =
    "Examples:\n"
    "  cifar10_pretrain --data synthetic --minutes 2 --preview     a first look, no download\n"
    "  cifar10_pretrain --data data --config tiny4 --epochs 20     a serious training\n"
    "  cifar10_pretrain --data data --config tiny4 --epochs 40 --resume     and twice as long\n"
    "Ctrl-C saves and ends, as SIGTERM and a closed terminal do; a second Ctrl-C ends at once.\n"
    "--version prints the version.\n"
    "Exit status: 0 done, or interrupted and saved; 2 wrong usage; 1 any other error.\n";

}  // namespace

flag max_pixels_flag(options& o) {
  constexpr mae::index_t million = 1'000'000;
  constexpr std::uint64_t most = 4'000'000'000;
  return {"max-pixels",
          "N|NM",
          with_default("refuse a picture of more pixels, or millions (M), for time and\nmemory",
                       std::to_string(o.max_pixels / million) + "M"),
          [&o](std::string const& text) {
            bool const in_millions = text.ends_with('M');
            auto const count = checked_whole(in_millions ? text.substr(0, text.size() - 1) : text,
                                             1,
                                             in_millions ? most / million : most);
            o.max_pixels = static_cast<mae::index_t>(count) * (in_millions ? million : 1);
          }};
}

std::optional<options> parse(int argc, char const* const* argv, std::ostream& out) {
  options settings;
  std::vector<flag_group> const flags = {data_flags(settings),
                                         model_flags(settings),
                                         length_flags(settings),
                                         optimizer_flags(settings),
                                         colour_flags(settings),
                                         evaluation_flags(settings),
                                         run_flags(settings)};
  auto given = read_command_line(flags, argc, argv);
  if (given.help) {
    out << introduction << describe_flags(flags) << '\n' << example;
    return std::nullopt;
  }
  if (given.version) {
    out << "cifar10_pretrain " MAE_VERSION "\n";
    return std::nullopt;
  }
  if (given.contains("resume"))  // what the training began with is in its file
    std::erase_if(settings.repeated.flags, [](auto const& flag) { return flag.name == "init"; });
  repeat_flags(flags, settings.repeated, given);
  check_combinations(given, settings);
  fill_gaps(given, settings);
  settings.flags = deciding_flags(given);
  return settings;
}

flag test_flag(test_choice& tests) {
  return {"test-part",
          list_of(test_words, "|") + "|N",
          with_default("which pictures of a folder are for tests, and not trained on: its part\n"
                       "test, its part val, or every Nth of those to train on; auto: the first\n"
                       "of these that there is, with N = 10",
                       std::string(word_of(test_words, tests.part))),
          [&tests](std::string const& text) {
            for (auto const& [word, value] : test_words)
              if (word == text) {
                tests.part = value;
                return;
              }
            auto const every = parse_number<std::uint64_t>(text);
            if (!every || *every < 2 || *every > a_billion)
              throw usage_error("must be " + list_of(test_words, ", ") +
                                ", or a whole number from 2 on, not " + text);
            tests = {test_part::every_nth, static_cast<mae::index_t>(*every)};
          }};
}

void fit_batch(options& o, mae::index_t images, std::ostream& notes) {
  mae::index_t const most = images / o.accumulate;
  if (o.batch_size <= most) return;
  std::string const there_are = std::to_string(images) + " images to train on";
  if (most < 1)
    throw mae::config_error("--accumulate " + std::to_string(o.accumulate) +
                            " asks for more images a step than the " + there_are);
  if (!o.batch_fits)
    throw mae::config_error(
        "--batch-size " + std::to_string(o.batch_size) +
        (o.accumulate > 1 ? " times --accumulate " + std::to_string(o.accumulate) : "") +
        " asks for more images a step than the " + there_are + ": give a --batch-size of at most " +
        std::to_string(most));
  o.batch_size = most;
  say_assumed(notes,
              "batch size " + std::to_string(most) + ", as there are " + there_are +
                  "; --batch-size says otherwise");
}

void require_backend(backend_choice backend) {
  std::string needed;
#ifndef PRETRAIN_HAS_THRUST
  if (backend == backend_choice::thrust_cpp || backend == backend_choice::thrust_omp ||
      backend == backend_choice::thrust_tbb)
    needed = "Thrust (libthrust-dev, or the CUDA Toolkit), OpenMP and oneTBB (libtbb-dev)";
#endif
#ifndef PRETRAIN_HAS_CUDA
  if (backend == backend_choice::cuda) needed = "the CUDA Toolkit";
#endif
  if (!needed.empty())
    throw usage_error("this program was built without the backend " + std::string(name(backend)) +
                      ": install " + needed + " and build it again, or choose another --backend");
}

double peak_learning_rate(options const& settings) {
  if (!settings.base_lr) return settings.lr;
  return *settings.base_lr * static_cast<double>(settings.batch_size * settings.accumulate) / 256;
}

std::string model_name(options const& settings) {
  std::string result(name(settings.config));
  if (settings.decoder_depth != preset_of(settings.config).decoder_depth)
    result += "-decoder" + std::to_string(settings.decoder_depth);
  if (settings.decoder == decoder_choice::cross) result += "-cross";
  return result;
}

bool limited_by_time_alone(options const& settings) {
  return settings.minutes && !settings.epochs && !settings.steps;
}

}  // namespace pretrain
