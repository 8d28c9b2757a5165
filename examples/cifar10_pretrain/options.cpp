#include "options.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <charconv>
#include <cmath>
#include <functional>
#include <limits>
#include <ostream>
#include <sstream>
#include <string_view>
#include <system_error>

namespace pretrain {
namespace {

constexpr std::int64_t default_epochs = 20;

/// What a configuration proposes where the command line is silent.
struct preset {
  int decoder_depth;
  mae::index_t batch_size;
  double crop_min;
};

constexpr preset preset_of(model_choice config) {
  switch (config) {
    case model_choice::tiny4:
      return {.decoder_depth = 2, .batch_size = 256, .crop_min = 0.3};
    case model_choice::tiny2:
      return {.decoder_depth = 4, .batch_size = 256, .crop_min = 0.3};
    case model_choice::quick4:
      break;
  }
  return {.decoder_depth = 2, .batch_size = 128, .crop_min = 0.6};
}

// ---- how a flag is declared --------------------------------------------------------------------

/// "text [default]", so that the help cannot disagree with the struct.
template <class T>
std::string with_default(std::string_view text, T const& value) {
  std::ostringstream line;
  line << text << " [" << value << "]";
  return line.str();
}

template <class T>
CLI::Option* add(
    CLI::App& app, char const* flag, char const* unit, T& value, std::string const& description) {
  return app.add_option(flag, value, description)->option_text(unit);
}

template <class Choice, std::size_t count>
void add_choice(CLI::App& app,
                std::string const& flag,
                choice_words<Choice, count> const& words,
                Choice& value,
                std::string_view description) {
  auto choose = [flag, &words, &value](std::string const& word) {
    for (auto const& [known, choice] : words) {
      if (known != word) continue;
      value = choice;
      return;
    }
    throw CLI::ValidationError(flag, "'" + word + "' is not one of " + list_of(words, ", "));
  };
  app.add_option_function<std::string>(
         flag, choose, with_default(description, word_of(words, value)))
      ->option_text(list_of(words, "|"));
}

/// Refuses what is no finite number, or one for which `holds` is false: "must be `what`, not 1.5".
CLI::Validator must_be(std::string const& what, std::function<bool(double)> const& holds) {
  auto const complaint = [what, holds](std::string& text) -> std::string {
    double value = 0;
    if (CLI::detail::lexical_cast(text, value) && std::isfinite(value) && holds(value)) return {};
    return "must be " + what + ", not " + text;
  };
  return {complaint, ""};
}

CLI::Validator must_not_be_negative() {
  return must_be("a number not below 0", [](double value) { return value >= 0; });
}

CLI::Validator must_be_positive() {
  return must_be("a number above 0", [](double value) { return value > 0; });
}

CLI::Validator must_be_a_mask_ratio() {
  return must_be("a number between 0 and 1, neither included",
                 [](double value) { return value > 0 && value < 1; });
}

/// Refuses what is no whole number of [least, most]; also what no integer type could hold. To be
/// given to `transform`: it rewrites "010", which CLI11 would read as octal.
CLI::Validator must_be_whole(std::uint64_t least, std::uint64_t most) {
  auto const complaint = [least, most](std::string& text) -> std::string {
    std::uint64_t value = 0;
    char const* const end = text.data() + text.size();
    auto const [stop, failure] = std::from_chars(text.data(), end, value);
    if (failure == std::errc() && stop == end && value >= least && value <= most) {
      text = std::to_string(value);
      return {};
    }
    return "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most) +
           ", not " + text;
  };
  return {complaint, ""};
}

constexpr std::uint64_t a_billion = 1'000'000'000;

// ---- the flags, in the order of the help -------------------------------------------------------

void add_data_flags(CLI::App& app, options& o) {
  app.option_defaults()->group("Data and results");
  add(app,
      "--data",
      "DIR|synthetic",
      o.data,
      "folder of CIFAR-10's binary version (data_batch_1.bin ...), or\n"
      "'synthetic' for ten made-up classes of images; without this flag:\n"
      "the folder named by MAE_CIFAR10_DIR, else data/, else synthetic");
  add(app,
      "--out",
      "DIR",
      o.out,
      with_default("folder for results, made when missing; one that holds a training\n"
                   "already is refused unless --resume is given",
                   o.out.string()));
  app.add_flag("--resume",
               o.resume,
               "go on exactly where DIR/training.safetensors stopped; give the\n"
               "flags of that training again (a limit may be raised)");
  add(app,
      "--save-every",
      "EPOCHS",
      o.save_every,
      with_default("write DIR/training.safetensors every so many epochs; 0: only at\n"
                   "the end (an interrupt saves always)",
                   o.save_every))
      ->transform(must_be_whole(0, a_billion));
}

void add_model_flags(CLI::App& app, options& o) {
  app.option_defaults()->group("Model and task");
  add_choice(app,
             "--config",
             model_words,
             o.config,
             "quick4: patch 4, encoder 6 blocks x 256 wide, decoder 2 x 128\n"
             "tiny4:  patch 4, encoder 12 x 192, decoder 2 x 96\n"
             "tiny2:  patch 2, encoder 12 x 192, decoder 4 x 192 (8 x slower)");
  add(app, "--decoder-depth", "2|6", o.decoder_depth, "blocks of tiny4's decoder [2]")
      ->check(must_be("2 or 6", [](double value) { return value == 2 || value == 6; }));
  add_choice(app,
             "--objective",
             objective_words,
             o.objective,
             "predict the pixels of each hidden patch as they are, or normalised\n"
             "by the patch's own mean and variance (better features)");
  add_choice(app,
             "--mask",
             mask_words,
             o.mask,
             "which patches are hidden. uniform: a fixed share, blindly; ramped:\n"
             "the share moves from --mask-from to --mask-to over the training;\n"
             "random: each image draws its share between the two; saliency:\n"
             "busy patches stay visible more often, busy images keep more");
  add(app,
      "--mask-ratio",
      "SHARE",
      o.mask_ratio,
      with_default("uniform: share of the patches that is hidden, between 0 and 1;\n"
                   "saliency: the share of an average image",
                   o.mask_ratio))
      ->check(must_be_a_mask_ratio());
  add(app,
      "--mask-from",
      "SHARE",
      o.mask_from,
      with_default("ramped: first share; random: least share", o.mask_from))
      ->check(must_be_a_mask_ratio());
  add(app,
      "--mask-to",
      "SHARE",
      o.mask_to,
      with_default("ramped: last share; random: greatest share", o.mask_to))
      ->check(must_be_a_mask_ratio());
  add(app,
      "--saliency-strength",
      "BETA",
      o.saliency_strength,
      with_default("saliency: 0 is blind, above 0 shows busy patches, below 0 hides\n"
                   "them",
                   o.saliency_strength))
      ->check(
          must_be("a number from -10 to 10", [](double value) { return std::abs(value) <= 10; }));
}

void add_length_flags(CLI::App& app, options& o) {
  app.option_defaults()->group("Length (the training ends at the first limit reached)");
  add(app,
      "--epochs",
      "N",
      o.epochs,
      "passes over the training images [" + std::to_string(default_epochs) +
          " when no limit is given]")
      ->transform(must_be_whole(1, a_billion));
  add(app, "--steps", "N", o.steps, "optimizer steps")->transform(must_be_whole(1, a_billion));
  add(app,
      "--minutes",
      "T",
      o.minutes,
      "minutes of training, without the final evaluation. As the only limit\n"
      "it also drives the learning rate, which then falls to 0 over the time\n"
      "that has passed; otherwise it merely ends a longer training early")
      ->check(must_be_positive());
}

void add_optimizer_flags(CLI::App& app, options& o) {
  app.option_defaults()->group("Optimisation");
  add(app,
      "--batch-size",
      "N",
      o.batch_size,
      "images of a batch [" + std::to_string(preset_of(model_choice::quick4).batch_size) +
          " for quick4, else " + std::to_string(preset_of(model_choice::tiny4).batch_size) + "]")
      ->transform(must_be_whole(1, 50000));
  add(app,
      "--accumulate",
      "N",
      o.accumulate,
      with_default("batches whose gradients are summed for one step", o.accumulate))
      ->transform(must_be_whole(1, 4096));
  add(app, "--lr", "RATE", o.lr, with_default("learning rate after warm-up, absolute", o.lr))
      ->check(must_be_positive());
  add(app,
      "--base-lr",
      "RATE",
      o.base_lr,
      "learning rate for 256 images a step, scaled by the images of a step\n"
      "(the paper's rule); instead of --lr")
      ->check(must_be_positive());
  add(app,
      "--weight-decay",
      "RATE",
      o.weight_decay,
      with_default("AdamW's decay of weight matrices", o.weight_decay))
      ->check(must_not_be_negative());
  add(app,
      "--clip",
      "NORM",
      o.clip,
      with_default("greatest global norm of the gradient; 0: no clipping", o.clip))
      ->check(must_not_be_negative());
  add(app,
      "--warmup-epochs",
      "EPOCHS",
      o.warmup_epochs,
      "epochs over which the learning rate rises from 0; fractions allowed\n"
      "[5% of the training]")
      ->check(must_not_be_negative());
  std::ostringstream crop;
  crop << "least share of an image's area that a random crop keeps; 1: no crop\n["
       << preset_of(model_choice::quick4).crop_min << " for quick4, else "
       << preset_of(model_choice::tiny4).crop_min << "]";
  add(app, "--crop-min", "SHARE", o.crop_min, crop.str())
      ->check(must_be("a number above 0 and at most 1",
                      [](double value) { return value > 0 && value <= 1; }));
}

void add_evaluation_flags(CLI::App& app, options& o) {
  app.option_defaults()->group("Evaluation");
  add_choice(app,
             "--probe",
             probe_words,
             o.probe,
             "how the frozen encoder is graded with labels: by nearest\n"
             "neighbours, by a linear classifier, by both or not at all");
  add(app,
      "--probe-every",
      "EPOCHS",
      o.probe_every,
      with_default("also grade every so many epochs; 0: only at the end", o.probe_every))
      ->transform(must_be_whole(0, a_billion));
  add(app,
      "--probe-images",
      "N",
      o.probe_images,
      with_default("grade on the first N training images; 0: on all", o.probe_images))
      ->transform(must_be_whole(0, a_billion));
}

void add_run_flags(CLI::App& app, options& o, std::string& precision) {
  app.option_defaults()->group("Running");
  add(app, "--seed", "N", o.seed, with_default("the same seed gives the same model", o.seed))
      ->transform(must_be_whole(0, std::numeric_limits<std::uint64_t>::max()));
  add(app,
      "--threads",
      "N",
      o.threads,
      with_default("threads; 0: one for every processor. They change the speed, never\n"
                   "the result",
                   o.threads))
      ->transform(must_be_whole(0, 1024));
  add(app, "--precision", "fp32", precision, with_default("arithmetic", precision));
  app.add_flag("--preview",
               o.preview,
               "show reconstructions in the terminal (24-bit colour) at every epoch");
  app.add_flag("--quiet", o.quiet, "print nothing but the final summary");
}

// ---- what must hold between flags --------------------------------------------------------------

bool given(CLI::App const& app, char const* flag) {
  return app.get_option(flag)->count() > 0;
}

void check_mask(CLI::App const& app, options const& o) {
  bool const ranged = o.mask == mask_choice::ramped || o.mask == mask_choice::random;
  if (given(app, "--mask-ratio") && ranged)
    throw usage_error("--mask-ratio has no meaning with --mask " + std::string(name(o.mask)) +
                      ": give --mask-from and --mask-to");
  if (o.mask == mask_choice::saliency && !(o.mask_ratio > 0.1 && o.mask_ratio < 0.9))
    throw usage_error(
        "--mask saliency varies the share by 0.1: --mask-ratio must lie between 0.1 and 0.9");
  if ((given(app, "--mask-from") || given(app, "--mask-to")) && !ranged)
    throw usage_error("--mask-from and --mask-to need --mask ramped or --mask random");
  if (given(app, "--saliency-strength") && o.mask != mask_choice::saliency)
    throw usage_error("--saliency-strength needs --mask saliency");
  if (o.mask == mask_choice::random && o.mask_from > o.mask_to)
    throw usage_error("--mask random needs a --mask-from that is not above --mask-to");
}

void check_combinations(CLI::App const& app, options const& o, std::string const& precision) {
  check_mask(app, o);
  if (given(app, "--decoder-depth") && o.config != model_choice::tiny4)
    throw usage_error("--decoder-depth belongs to --config tiny4; " + std::string(name(o.config)) +
                      " has a decoder of " + std::to_string(preset_of(o.config).decoder_depth) +
                      " blocks");
  if (given(app, "--lr") && given(app, "--base-lr"))
    throw usage_error("give either --lr (absolute) or --base-lr (for 256 images a step), not both");
  if (given(app, "--probe-every") && o.probe == probe_choice::none)
    throw usage_error("--probe-every has no meaning with --probe none");
  if (given(app, "--probe-images") && o.probe == probe_choice::none)
    throw usage_error("--probe-images has no meaning with --probe none");
  if (o.preview && o.quiet)
    throw usage_error("--preview shows pictures and --quiet forbids them: give one of the two");
  if (precision != "fp32")
    throw usage_error("--precision " + precision + " is not built in: fp32 is the only one so far");
}

void fill_gaps(CLI::App const& app, options& o) {
  preset const defaults = preset_of(o.config);
  if (!given(app, "--decoder-depth")) o.decoder_depth = defaults.decoder_depth;
  if (!given(app, "--batch-size")) o.batch_size = defaults.batch_size;
  if (!given(app, "--crop-min")) o.crop_min = defaults.crop_min;
  if (!o.epochs && !o.steps && !o.minutes && !o.resume) o.epochs = default_epochs;
}

constexpr char const* introduction =
    "Trains a masked autoencoder: most of an image's patches are hidden, and the network learns\n"
    "to paint them from the rest. What its encoder learned on the way is graded with labels.";

constexpr char const* example =
    "Examples:\n"
    "  cifar10_pretrain --data synthetic --minutes 2 --preview     a first look, no download\n"
    "  cifar10_pretrain --data data --config tiny4 --epochs 20     a serious training\n"
    "  cifar10_pretrain --data data --config tiny4 --epochs 40 --resume     and twice as long\n"
    "Ctrl-C saves and ends; a second Ctrl-C ends at once.\n"
    "Exit status: 0 done, or interrupted and saved; 2 wrong usage; 1 any other error.";

}  // namespace

std::optional<options> parse(int argc, char const* const* argv, std::ostream& out) {
  options settings;
  std::string precision = "fp32";
  CLI::App app(introduction, "cifar10_pretrain");
  app.get_formatter()->column_width(28);
  app.footer(example);
  add_data_flags(app, settings);
  add_model_flags(app, settings);
  add_length_flags(app, settings);
  add_optimizer_flags(app, settings);
  add_evaluation_flags(app, settings);
  add_run_flags(app, settings, precision);
  try {
    app.parse(argc, argv);
  } catch (CLI::CallForHelp const&) {
    out << app.help();
    return std::nullopt;
  } catch (CLI::ArgumentMismatch const& wrong) {
    std::string const message = wrong.what();  // begins with the flag and a colon
    throw usage_error(message.substr(0, message.find(':')) + " needs exactly one value");
  } catch (CLI::ParseError const& wrong) {
    throw usage_error(wrong.what());
  }
  check_combinations(app, settings, precision);
  fill_gaps(app, settings);
  return settings;
}

double peak_learning_rate(options const& settings) {
  if (!settings.base_lr) return settings.lr;
  return *settings.base_lr * static_cast<double>(settings.batch_size * settings.accumulate) / 256;
}

std::string model_name(options const& settings) {
  std::string result(name(settings.config));
  if (settings.decoder_depth != preset_of(settings.config).decoder_depth)
    result += "-decoder" + std::to_string(settings.decoder_depth);
  return result;
}

bool limited_by_time_alone(options const& settings) {
  return settings.minutes && !settings.epochs && !settings.steps;
}

}  // namespace pretrain
