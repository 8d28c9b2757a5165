#include "options.hpp"

#include "colour_flags.hpp"
#include "editable_file.hpp"
#include "noise_flags.hpp"
#include "temporary_folder.hpp"

#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/data/colour_changes.hpp>
#include <mae/data/pixel_noise.hpp>
#include <mae/train/head_schedule.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace {

using pretrain::options;
using pretrain::usage_error;

std::optional<options> parse_words(std::vector<std::string> words, std::ostream& out) {
  words.insert(words.begin(), "cifar10_pretrain");
  std::vector<char const*> arguments;
  arguments.reserve(words.size());
  for (std::string const& word : words) arguments.push_back(word.c_str());
  return pretrain::parse(static_cast<int>(arguments.size()), arguments.data(), out);
}

/// Splits at spaces.
std::vector<std::string> words_of(std::string const& line) {
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

options parsed(std::string const& line) {
  std::ostringstream out;
  auto const settings = parse_words(words_of(line), out);
  REQUIRE(settings.has_value());
  CHECK(out.str().empty());
  return *settings;
}

std::string complaint(std::string const& line) {
  std::ostringstream out;
  try {
    parse_words(words_of(line), out);
  } catch (usage_error const& wrong) {
    return wrong.what();
  }
  return "accepted";
}

/// A summary.json with these flags of this program.
std::string summary_in(mae_test::temporary_folder const& folder,
                       std::string const& flags,
                       std::string const& program = "cifar10_pretrain") {
  std::string const path = folder.file("summary.json");
  std::ofstream(path) << R"({"steps": 3, "run": {"program": ")" << program
                      << R"(", "version": "0.0.9", "flags": {)" << flags << "}}, \"other\": [1]}";
  return path;
}

TEST_CASE("--settings repeats the flags of a run, and flags beside it say otherwise") {
  mae_test::temporary_folder const folder;
  auto const path = summary_in(
      folder, R"("config": "tiny4", "lr": "0.5", "init": "a.safetensors", "tensorboard": "")");
  auto const repeated = parsed("--settings " + path + " --lr 0.25 --out x --quiet");
  CHECK(repeated.config == pretrain::model_choice::tiny4);
  CHECK(repeated.batch_size == 256);  // the configuration's
  CHECK(repeated.lr == 0.25);
  CHECK(repeated.tensorboard);
  CHECK(repeated.init == "a.safetensors");
  CHECK(repeated.repeated.version == "0.0.9");
  CHECK(repeated.flags ==
        mae::settings_list{
            {"config", "tiny4"}, {"init", "a.safetensors"}, {"lr", "0.25"}, {"tensorboard", ""}});
  CHECK(parsed("--resume --settings " + path).init.empty());
  CHECK(complaint("--base-lr 1 --settings " + path).starts_with("give either --lr"));
}

TEST_CASE("--settings refuses what is no run of this program, by the file's name") {
  mae_test::temporary_folder const folder;
  auto const refused = [&](std::string const& path, std::string const& why) {
    auto const said = complaint("--settings " + path);
    CHECK_MESSAGE(said.find(why) != std::string::npos, said);
    CHECK(said.find(path) != std::string::npos);
  };
  refused(folder.file("none.json"), "cannot be read");
  refused(summary_in(folder, "", "mae_finetune"), "is of a run of 'mae_finetune'");
  refused(summary_in(folder, R"("no-such": "1")"), "'--no-such' is no flag");
  refused(summary_in(folder, R"("lr": "fast")"), "--lr: must be a number above 0, not fast");
  refused(summary_in(folder, R"("lr": 1)"), "summary.json");
  std::ofstream(folder.file("old.json")) << "{\"steps\": 3}";
  refused(folder.file("old.json"), "says no flags to repeat");
}

TEST_CASE("a picture's pixels are counted in ones or in millions") {
  CHECK(parsed("").max_pixels == 100'000'000);
  CHECK(parsed("--max-pixels 791").max_pixels == 791);
  CHECK(parsed("--max-pixels 250M").max_pixels == 250'000'000);
  for (std::string const value : {"0", "0M", "M", "1e8", "4001M", "-1"})
    CHECK(complaint("--max-pixels " + value).starts_with("--max-pixels: must be a whole number"));
}

TEST_CASE("the pictures for tests are a part, or every Nth") {
  CHECK(parsed("").tests.part == pretrain::test_part::automatic);
  CHECK(parsed("--test-part val").tests.part == pretrain::test_part::validation);
  auto const tests = parsed("--test-part 5").tests;
  CHECK(tests.part == pretrain::test_part::every_nth);
  CHECK(tests.every == 5);
  for (std::string const value : {"1", "tenth", "0", "2.5"})
    CHECK(complaint("--test-part " + value) ==
          "--test-part: must be auto, test, val, or a whole number from 2 on, not " + value);
}

TEST_CASE("noise that cannot be is refused, and what hides nothing without it") {
  for (std::string const value : {"0", "-1", "nan", "inf", "x", "0.1:", "0.1:0", ":1", "1e39"})
    CHECK(complaint("--noise " + value)
              .starts_with("--noise: must be a deviation above 0, or the least and the greatest"));
  CHECK(complaint("--noise 1:0.5") == "--noise: must have the least deviation first, not 1:0.5");
  CHECK(complaint("--mask none") ==
        "--mask none hides nothing, and there is nothing to paint but what the --noise of a "
        "training spoils");
  CHECK(
      complaint("--mask none --noise 1")
          .starts_with("--mask none leaves no hidden patch to learn from: give --visible-loss 1"));
  CHECK(complaint("--denoiser 1").starts_with("--denoiser needs --noise"));
  CHECK(complaint("--denoiser 1 --noise 1 --backend thrust-cpp")
            .starts_with("--denoiser is trained on the processor"));
  CHECK(complaint("--denoiser -1 --noise 1").starts_with("--denoiser: must be"));
  CHECK(complaint("--noise 1 --head-schedule denoiser=1@0") ==
        "--head-schedule: denoiser is off: give its weight by --denoiser");
  std::string const alone = "--mask none --noise 1 --visible-loss 1 ";
  CHECK(complaint(alone + "--predict-share 0.5")
            .starts_with("--predict-share has no meaning with --mask none"));
  CHECK(complaint(alone + "--mask-ratio 0.5") ==
        "--mask-ratio has no meaning with --mask none: nothing is hidden");
  CHECK(complaint(alone + "--decoder cross").starts_with("--visible-loss needs predictions"));
}

TEST_CASE("a report says noise") {
  CHECK(pretrain::noise_entries(parsed("--noise 0.5")) ==
        mae::settings_list{{"noise on what is seen", "deviation 0.5"}});
  CHECK(pretrain::noise_entries(parsed("--noise 0.1:1")) ==
        mae::settings_list{{"noise on what is seen", "deviations 0.1 to 1"}});
  CHECK(pretrain::noise_entries(parsed("")).empty());
}

TEST_CASE("the help says each default once, and those that differ by configuration") {
  std::ostringstream help;
  CHECK_FALSE(parse_words({"--help"}, help));
  for (std::string const part : {"[100M]",
                                 "[128 for quick4, 64 for base16, else 256]",
                                 "[0.0001 for base16, else 0.001]",
                                 "[0.6 for quick4, 1 for base16, 0.6 for micro8, else 0.3]"})
    CHECK_MESSAGE(help.str().find(part) != std::string::npos, part);
}

TEST_CASE("without a flag the settings of a 20-epoch run of quick4 hold") {
  options const o = parsed("");
  CHECK(o.config == pretrain::model_choice::quick4);
  CHECK(o.decoder_depth == 2);
  CHECK(o.mask == pretrain::mask_choice::uniform);
  CHECK(o.mask_ratio == 0.75);
  CHECK(o.batch_size == 128);
  CHECK(o.augment.crop_min == 0.6);
  CHECK(o.augment.kind == mae::interpolation::bicubic);
  CHECK(o.linears == mae::linear_start::xavier);
  CHECK(o.positions == mae::position_table::sincos);
  CHECK(pretrain::peak_learning_rate(o) == 1e-3);
  CHECK(o.weight_decay == 0.05);
  CHECK(o.clip == 1.0);
  CHECK_FALSE(o.warmup_epochs.has_value());
  CHECK(o.epochs == 20);
  CHECK_FALSE(o.steps.has_value());
  CHECK_FALSE(o.minutes.has_value());
  CHECK(o.data.empty());
  CHECK(o.threads == 0);
}

TEST_CASE("every flag reaches its field") {
  options const o = parsed(
      "--data DIR --config tiny4 --decoder-depth 6 --mask ramped --mask-from 0.5 --mask-to 0.9 "
      "--objective pixels --epochs 3 --steps 40 --minutes 1.5 --batch-size 64 --accumulate 2 "
      "--base-lr 1e-4 --weight-decay 0.1 --clip 2 --warmup-epochs 0.5 --crop-min 0.2 "
      "--interpolation bilinear --initialiser pytorch --positions learned --seed 11 --threads 2 "
      "--precision fp32 "
      "--out OUT --resume --save-every 5 --probe knn --probe-every 4 --preview");
  CHECK(o.data == "DIR");
  CHECK(o.config == pretrain::model_choice::tiny4);
  CHECK(o.decoder_depth == 6);
  CHECK(o.mask == pretrain::mask_choice::ramped);
  CHECK(o.mask_from == 0.5);
  CHECK(o.mask_to == 0.9);
  CHECK(o.objective == pretrain::objective_choice::pixels);
  CHECK(o.epochs == 3);
  CHECK(o.steps == 40);
  CHECK(o.minutes == 1.5);
  CHECK(o.batch_size == 64);
  CHECK(o.accumulate == 2);
  CHECK(o.base_lr == 1e-4);
  CHECK(o.weight_decay == 0.1);
  CHECK(o.clip == 2);
  CHECK(o.warmup_epochs == 0.5);
  CHECK(o.augment.crop_min == 0.2);
  CHECK(o.augment.kind == mae::interpolation::bilinear);
  CHECK(o.linears == mae::linear_start::pytorch);
  CHECK(o.positions == mae::position_table::learned);
  CHECK(o.seed == 11);
  CHECK(o.threads == 2);
  CHECK(o.out == "OUT");
  CHECK(o.resume);
  CHECK(o.save_every.epochs == 5);
  CHECK(o.probe == pretrain::probe_choice::knn);
  CHECK(o.probe_every == 4);
  CHECK(o.preview);
  CHECK_FALSE(o.quiet);
  CHECK(parsed("--mask saliency --saliency-strength -0.5").saliency_strength == -0.5);
  options const hog = parsed("--objective hog --hog-cell 2 --hog-bins 8 --hog-form plain");
  CHECK(hog.objective == pretrain::objective_choice::hog);
  CHECK(hog.hog_cell == 2);
  CHECK(hog.hog_bins == 8);
  CHECK(hog.hog_form == mae::hog_form::plain);
  options const principal =
      parsed("--objective principal --principal-drop 5 --principal-patches 1000");
  CHECK(principal.objective == pretrain::objective_choice::principal);
  CHECK(principal.principal_drop == 5);
  CHECK(principal.principal_patches == 1000);
  CHECK(parsed("--objective fourier").objective == pretrain::objective_choice::fourier);
  options const taught =
      parsed("--objective teacher --teacher runs/a.safetensors --teacher-blocks 4");
  CHECK(taught.objective == pretrain::objective_choice::teacher);
  CHECK(taught.teacher == "runs/a.safetensors");
  CHECK(taught.teacher_blocks == 4);
  CHECK(!taught.follows_student());
  options const moving = parsed("--objective teacher --teacher ema --teacher-momentum 0.99,0.9999");
  CHECK(moving.follows_student());
  CHECK(moving.teacher_momentum.momentum == 0.99);
  CHECK(moving.teacher_momentum.last_momentum == 0.9999);
  CHECK(parsed("--objective teacher --teacher ema").teacher_momentum.momentum == 0.999);
  options const contrast = parsed("--contrast 0.3 --temperature 0.1");
  CHECK(contrast.contrast == 0.3);
  CHECK(contrast.temperature == 0.1);
  CHECK(contrast.views == 2);
  CHECK(contrast.predictor == 0);
  CHECK(!contrast.keeps_average());
  options const keys = parsed(
      "--contrast 1 --contrast-predictor 512 --contrast-keys moving --contrast-queue 4096 "
      "--teacher-momentum 0.99,0.9999");
  CHECK(keys.predictor == 512);
  CHECK(keys.queue == 4096);
  CHECK(keys.keeps_average());
  CHECK(!keys.follows_student());
  CHECK(keys.teacher_momentum.momentum == 0.99);
  CHECK(parsed("--contrast 1 --views 3").views == 3);
  CHECK(parsed("--contrast 0").views == 1);
  CHECK(parsed("--sigreg 0.5").sigreg == 0.5);
  CHECK(parsed("--sigreg 0.5").views == 2);
  CHECK(parsed("--uniformity 0.01").uniformity == 0.01);
  CHECK(parsed("--uniformity 0.01").views == 1);
  CHECK(parsed("--views 2").views == 2);
  options const perceiving = parsed("--perceptual 0.5 --perceptual-block 3 --teacher runs/a");
  CHECK(perceiving.perceptual == 0.5);
  CHECK(perceiving.perceptual_block == 3);
  CHECK(perceiving.learns_beside());
  CHECK(!perceiving.compares_images());
  CHECK(!perceiving.follows_student());
  CHECK(complaint("--perceptual-block 3") == "--perceptual-block needs --perceptual");
  std::string const distance = "--perceptual 1 --teacher a ";
  CHECK(complaint(distance + "--objective hog").starts_with("--perceptual compares pictures"));
  CHECK(complaint("--perceptual 1").starts_with("--perceptual needs --teacher FILE"));
  CHECK(complaint("--perceptual 1 --teacher ema").starts_with("--perceptual needs --teacher FILE"));
  CHECK(complaint(distance + "--visible-loss 1").starts_with("--perceptual shows visible patches"));
  CHECK(complaint(distance + "--contrast 1 --paint-views 1")
            .starts_with("--perceptual compares every view"));
  CHECK(complaint(distance + "--backend thrust-cpp")
            .starts_with("--perceptual is trained on the processor"));
  CHECK(complaint(distance + "--contrast 1 --alternate 2")
            .starts_with("--alternate leaves steps without painting"));
  CHECK(complaint(distance + "--contrast 1 --record-gradients 2")
            .starts_with("the gradient of --perceptual goes through the painter"));
  CHECK(complaint(distance + "--head-schedule painter=1@0,0@0.5")
            .starts_with("--head-schedule: the painter's factor must not reach 0"));
  CHECK(parsed(distance + "--head-schedule perceptual=0@0,1@0.5;painter=1@0,0@1")
            .head_schedules.size() == 2);
  options const local = parsed("--contrast 1 --local-views 2 --local-crop 0.1,0.5");
  CHECK(local.local == mae::local_crops{.views = 2, .crop_min = 0.1, .crop_max = 0.5});
  CHECK(local.views == 4);
  CHECK(parsed("--sigreg 1 --views 3 --local-views 2").views == 3);
  CHECK(parsed("").local == mae::local_crops{});
  CHECK(parsed("").painted_views == 0);
  CHECK(parsed("--contrast 1 --paint-views 1").painted_views == 1);
  CHECK(parsed("--predict-share 0.5").predicted_share == 0.5);
  auto const colours =
      parsed("--jitter 0.4,0.3,0.2,0.1 --jitter-probability 0.7 --grey 0.2 --blur 0.5 --solarise 1")
          .colours;
  CHECK(colours == mae::colour_changes{.jitter = {.brightness = 0.4,
                                                  .contrast = 0.3,
                                                  .saturation = 0.2,
                                                  .hue = 0.1,
                                                  .probability = 0.7},
                                       .grey = 0.2,
                                       .blur = {.probability = 0.5},
                                       .solarise = {.probability = 1}});
  CHECK(parsed("--jitter 0.4,0.3,0.2,0.5").colours.jitter.probability == 0.8);
  CHECK_FALSE(parsed("").colours.is_on());
  CHECK(parsed("--noise 0.5").noise == mae::pixel_noise{.sigma_min = 0.5, .sigma_max = 0.5});
  CHECK(parsed("--noise 0.1:1").noise == mae::pixel_noise{.sigma_min = 0.1, .sigma_max = 1});
  CHECK_FALSE(parsed("").noise.is_on());
  options const alone = parsed("--noise 0.5 --mask none --visible-loss 1");
  CHECK(alone.mask == pretrain::mask_choice::none);
  CHECK(pretrain::heldout_noise(alone) == alone.noise);
  CHECK_FALSE(pretrain::heldout_noise(parsed("--noise 0.5")).is_on());
  options const denoised = parsed("--noise 0.5 --denoiser 0.3 --alternate 2");
  CHECK(denoised.denoiser == 0.3);
  CHECK(pretrain::heldout_noise(denoised) == denoised.noise);
  CHECK_FALSE(pretrain::pictured_noise(denoised).is_on());
  CHECK(parsed("--lr 5e-4").lr == 5e-4);
  CHECK(parsed("--quiet").quiet);
  CHECK(parsed("").heldout_images == 1000);
  CHECK(parsed("--heldout-images 50").heldout_images == 50);
  CHECK(parsed("--precision bf16").precision == pretrain::precision_choice::bf16);
  CHECK(parsed("").backend == pretrain::backend_choice::eigen);
  CHECK(parsed("--backend thrust-omp").backend == pretrain::backend_choice::thrust_omp);
  CHECK(parsed("--backend cuda --precision tf32").precision == pretrain::precision_choice::tf32);
}

TEST_CASE("a configuration proposes its own decoder, batch and crop") {
  options const tiny2 = parsed("--config tiny2");
  CHECK(tiny2.decoder_depth == 4);
  CHECK(tiny2.batch_size == 256);
  CHECK(tiny2.augment.crop_min == 0.3);
  CHECK(parsed("--config tiny2 --batch-size 32").batch_size == 32);
}

TEST_CASE("a set smaller than a batch lowers the configuration's, and refuses the user's") {
  auto const fitted = [](std::string const& line, mae::index_t images, std::ostream& notes) {
    options o = parsed(line);
    pretrain::fit_batch(o, images, notes);
    return o.batch_size;
  };
  std::ostringstream notes;
  CHECK(fitted("", 128, notes) == 128);
  CHECK(fitted("--batch-size 40", 40, notes) == 40);
  CHECK(notes.str().empty());
  CHECK(fitted("", 40, notes) == 40);
  CHECK(
      notes.str() ==
      "assumed: batch size 40, as there are 40 images to train on; --batch-size says otherwise\n");
  CHECK(fitted("--accumulate 4", 50, notes) == 12);
  auto const refusal = [&](std::string const& line) {
    return refusal_of<mae::config_error>([&] { fitted(line, 40, notes); });
  };
  CHECK(refusal("--batch-size 41") ==
        "--batch-size 41 asks for more images a step than the 40 images to train on: give a "
        "--batch-size of at most 40");
  CHECK(refusal("--batch-size 16 --accumulate 4") ==
        "--batch-size 16 times --accumulate 4 asks for more images a step than the 40 images to "
        "train on: give a --batch-size of at most 10");
  CHECK(refusal("--accumulate 41") ==
        "--accumulate 41 asks for more images a step than the 40 images to train on");
}

TEST_CASE("a limit that is given takes the place of the epochs") {
  CHECK_FALSE(parsed("--steps 10").epochs.has_value());
  CHECK_FALSE(parsed("--minutes 2").epochs.has_value());
  CHECK(pretrain::limited_by_time_alone(parsed("--minutes 2")));
  CHECK_FALSE(pretrain::limited_by_time_alone(parsed("--minutes 2 --epochs 3")));
  CHECK_FALSE(pretrain::limited_by_time_alone(parsed("--steps 3")));
}

TEST_CASE("base_lr is scaled by the images of a step over 256") {
  options const o = parsed("--base-lr 1e-3 --batch-size 128 --accumulate 6");
  CHECK(pretrain::peak_learning_rate(o) == doctest::Approx(3e-3));
}

TEST_CASE("a model's name tells a decoder that is not its own") {
  CHECK(pretrain::model_name(parsed("--config tiny4")) == "tiny4");
  CHECK(pretrain::model_name(parsed("--config tiny4 --decoder-depth 2")) == "tiny4");
  CHECK(pretrain::model_name(parsed("--config tiny4 --decoder-depth 6")) == "tiny4-decoder6");
  CHECK(pretrain::model_name(parsed("")) == "quick4");
}

TEST_CASE("wrong usage is refused in one sentence that names the flag") {
  struct wrong {
    char const* line;
    char const* words;
  };
  std::vector<wrong> const lines = {
      {"--mask ramped --mask-ratio 0.5", "give --mask-from and --mask-to"},
      {"--mask random --mask-ratio 0.5", "--mask-ratio has no meaning with --mask random"},
      {"--mask saliency --mask-ratio 0.9", "between 0.1 and 0.9"},
      {"--mask-from 0.5", "needs --mask ramped or --mask random"},
      {"--mask saliency --mask-to 0.5", "needs --mask ramped or --mask random"},
      {"--mask file", "--mask file needs --mask-file FILE"},
      {"--mask-file x.npy", "--mask-file needs --mask file"},
      {"--mask learned --mask-from 0.5", "--mask-from needs --mask ramped or --mask random"},
      {"--mask-hard hidden", "--mask-hard needs --mask learned or --mask sampling or --mask gate"},
      {"--mask sampling --mask-targets equal", "--mask-targets needs --mask gate"},
      {"--mask levels --mask-ratio 0.3", "give --mask-levels"},
      {"--mask levels --mask-levels 0.5", "two levels at least"},
      {"--mask levels --mask-levels 0.5,x:1,1", "not x"},
      {"--mask density --mask-ratio 0.9", "less and plus --mask-swing"},
      {"--mask-budget batch", "--mask-budget needs --mask density"},
      {"--mask levels --mask-measure loss", "it needs --mask density"},
      {"--mask density --mask-measure loss --mask-budget batch",
       "needs a --mask-measure of pixels"},
      {"--density-token 1", "--density-token 1 tells nothing"},
      {"--density-token 257", "--density-token: must be a whole number from 0 to 256"},
      {"--density-token-at mask", "--density-token-at needs --density-token N"},
      {"--density-token 4 --mask density --mask-measure loss", "--density-token needs another"},
      {"--density-token 4 --density-token-at both --decoder cross",
       "leave --density-token-at both"},
      {"--density-token 4 --objective teacher --teacher ema", "--density-token needs another"},
      {"--density-token 4 --noise 0.1", "--noise would raise the density"},
      {"--density-token 0 --mask-measure entropy", "--mask-measure needs --mask density"},
      {"--saliency-strength 1", "needs --mask saliency"},
      {"--mask random --mask-from 0.9 --mask-to 0.5", "not above --mask-to"},
      {"--mask-ratio 0", "--mask-ratio: must be a number between 0 and 1"},
      {"--mask-ratio 1", "--mask-ratio: must be a number between 0 and 1"},
      {"--mask checkerboard", "'checkerboard' is not one of uniform, ramped, random, saliency"},
      {"--decoder-depth 2", "--decoder-depth belongs to --config tiny4"},
      {"--config tiny4 --decoder-depth 3", "--decoder-depth: must be 2 or 6, not 3"},
      {"--lr 1e-3 --base-lr 1e-3", "not both"},
      {"--lr 0", "--lr: must be a number above 0"},
      {"--lr nan", "--lr: must be a number above 0"},
      {"--lr inf", "--lr: must be a number above 0"},
      {"--lr much", "--lr: must be a number above 0, not much"},
      {"--weight-decay -1", "--weight-decay: must be a number not below 0"},
      {"--clip -1", "--clip: must be a number not below 0"},
      {"--crop-min 0", "--crop-min: must be a number above 0 and at most 1"},
      {"--interpolation nearest", "'nearest' is not one of bicubic, bilinear"},
      {"--initialiser he", "'he' is not one of xavier, pytorch"},
      {"--crop-min 1.1", "--crop-min: must be a number above 0 and at most 1"},
      {"--minutes 0", "--minutes: must be a number above 0"},
      {"--epochs 0", "--epochs: must be a whole number from 1"},
      {"--epochs 1.5", "--epochs: must be a whole number from 1"},
      {"--steps 99999999999999999999", "--steps: must be a whole number"},
      {"--batch-size 0", "--batch-size: must be a whole number from 1 to 50000"},
      {"--accumulate 0", "--accumulate: must be a whole number"},
      {"--seed -1", "--seed: must be a whole number from 0"},
      {"--seed 18446744073709551616", "--seed: must be a whole number from 0"},
      {"--threads -1", "--threads: must be a whole number from 0"},
      {"--precision fp16", "'fp16' is not one of fp32, tf32, bf16"},
      {"--backend gpu", "'gpu' is not one of eigen, thrust-cpp, thrust-omp, thrust-tbb, cuda"},
      {"--precision tf32", "--precision tf32 is a GPU's: give --backend cuda"},
      {"--probe none --probe-every 2", "no meaning with --probe none"},
      {"--preview --quiet", "give one of the two"},
      {"--epochs", "--epochs needs exactly one value"},
      {"--epochs 1 --epochs 2", "--epochs needs exactly one value"},
      {"--quiet=3", "--quiet takes no value"},
      {"--save-every 1.5",
       "--save-every: must be epochs (5), minutes (30m) or hours (1.5h), not 1.5"},
      {"--save-every 0m", "--save-every: must be a number above 0 before m (minutes)"},
      {"--save-every h", "--save-every: must be a number above 0 before m (minutes)"},
      {"--save-every -1h", "--save-every: must be a number above 0 before m (minutes)"},
      {"--save-every 5s",
       "--save-every: must be epochs (5), minutes (30m) or hours (1.5h), not 5s"},
      {"--help=3", "--help takes no value"},
      {"--version=3", "--version takes no value"},
      {"-epochs 5", "-e is no flag: they begin with two dashes"},
      {"--quiet -epochs 5", "-e is no flag: they begin with two dashes"},
      {"--out --resume", "--out needs exactly one value, and --resume is a flag"},
      {"--data=", "--data needs exactly one value"},
      {"--quiet --quiet", "--quiet is given twice"},
      {"--mas 0.5", "--mas is no flag, or short for several"},
      {"--nonsense", "--nonsense"},
      {"nonsense", "nonsense"},
  };
  for (wrong const& entry : lines) {
    char const* const line = entry.line;
    CAPTURE(line);
    std::string const said = complaint(line);
    CAPTURE(said);
    CHECK(said.find(entry.words) != std::string::npos);
    CHECK(said.find('\n') == std::string::npos);
  }
}

TEST_CASE("a training is saved every so many epochs, minutes or hours") {
  CHECK(parsed("").save_every.epochs == 1);
  CHECK_FALSE(parsed("").save_every.seconds.has_value());
  CHECK(parsed("--save-every 0").save_every.epochs == 0);
  CHECK(parsed("--save-every 30m").save_every.seconds == 1800);
  CHECK(parsed("--save-every 30m").save_every.epochs == 0);
  CHECK(parsed("--save-every 1.5h").save_every.seconds == 5400);
}

TEST_CASE("an objective's own flags need it") {
  CHECK(complaint("--hog-cell 2") == "--hog-cell needs --objective hog");
  CHECK(complaint("--teacher a") == "--teacher needs --objective teacher, or --perceptual");
  CHECK(complaint("--objective fourier --hog-bins 4") == "--hog-bins needs --objective hog");
  CHECK(complaint("--objective hog --principal-drop 1") ==
        "--principal-drop needs --objective principal");
  CHECK(complaint("--objective teacher") ==
        "--objective teacher needs --teacher ema, or --teacher FILE, the checkpoint of one");
  CHECK(complaint("--objective teacher --teacher a.safetensors --teacher-momentum 0.9") ==
        "--teacher-momentum needs --teacher ema: a checkpoint stays as it is");
  CHECK(complaint("--objective teacher --teacher ema --teacher-momentum 0.9,1") ==
        "--teacher-momentum: must be a number from 0 to below 1, not 1");
  CHECK(complaint("--objective hog --hog-bins 1").starts_with("--hog-bins: must be"));
  CHECK(complaint("--objective hog --hog-cell 0").starts_with("--hog-cell: must be"));
  CHECK(
      complaint("--objective huge").find("normalised, pixels, hog, fourier, principal, teacher") !=
      std::string::npos);
}

TEST_CASE("contrast needs two views and a temperature that is positive") {
  CHECK(complaint("--temperature 0.1") == "--temperature needs --contrast");
  CHECK(complaint("--contrast-predictor 64") == "--contrast-predictor needs --contrast");
  CHECK(complaint("--contrast-keys moving") == "--contrast-keys needs --contrast");
  CHECK(complaint("--contrast 1 --contrast-keys other").starts_with("--contrast-keys: "));
  CHECK(complaint("--contrast 1 --contrast-queue 64")
            .starts_with("--contrast-queue needs --contrast-keys moving"));
  CHECK(complaint("--contrast 1 --teacher-momentum 0.9")
            .starts_with("--teacher-momentum needs --objective teacher with --teacher ema, or"));
  CHECK(complaint("--contrast 0.3 --views 1") ==
        "--contrast compares views of an image: give --views 2 or more, or leave it");
  CHECK(complaint("--sigreg 0.3 --views 1") ==
        "--sigreg compares views of an image: give --views 2 or more, or leave it");
  CHECK(complaint("--local-views 1") ==
        "--local-views needs --contrast or --sigreg, which compare views");
  CHECK(complaint("--contrast 1 --local-crop 0.1,0.5") == "--local-crop needs --local-views N");
  CHECK(complaint("--contrast 1 --views 2 --local-views 2") ==
        "--local-views leaves no view of the whole image's crops: give --views 3 or more");
  CHECK(complaint("--contrast 1 --local-views 1 --local-crop 0.5,0.1") ==
        "--local-crop: must have the least share first, not 0.5,0.1");
  CHECK(complaint("--contrast 1 --local-views 1 --local-crop 0.5")
            .starts_with("--local-crop: must be two"));
  CHECK(complaint("--contrast -1").starts_with("--contrast: must be"));
  CHECK(complaint("--sigreg -1").starts_with("--sigreg: must be"));
  CHECK(complaint("--uniformity nan").starts_with("--uniformity: must be"));
  CHECK(complaint("--contrast 1 --temperature 0").starts_with("--temperature: must be"));
  CHECK(complaint("--views 0").starts_with("--views: must be"));
  CHECK(complaint("--views 256").starts_with("--views: must be"));
  CHECK(
      complaint("--paint-views 1") ==
      "--paint-views needs --contrast, --sigreg or --uniformity: views that are not painted teach "
      "nothing else");
  CHECK(complaint("--contrast 1 --paint-views 0").starts_with("--paint-views: must be"));
  CHECK(complaint("--contrast 1 --paint-views 3") ==
        "--paint-views is more than the views of an image: give --views 3, or fewer to paint");
  auto const told =
      parsed("--mask block --density-token 6 --density-token-at both --mask-measure entropy");
  CHECK(told.density_token == 6);
  CHECK(told.density_token_at == mae::told_tokens::both);
  CHECK(told.mask_measure == pretrain::density_choice::entropy);
  CHECK(parsed("").density_token == 0);
  CHECK(parsed("--visible-loss 0.1").visible_loss == 0.1);
  CHECK(complaint("--visible-loss -1").starts_with("--visible-loss: must be"));
  CHECK(
      complaint("--visible-loss 0.1 --decoder cross") ==
      "--visible-loss needs predictions of visible patches, and --decoder cross makes none: leave "
      "one of the two");
  CHECK(complaint("--visible-loss 0.1 --contrast 1 --paint-views 1")
            .starts_with("--paint-views saves"));
  for (std::string const masks : {"--mask learned", "--mask sampling", "--mask gate"})
    CHECK(
        complaint("--visible-loss 0.1 " + masks)
            .starts_with(masks + " learns from the losses of hidden patches, and --visible-loss"));
  CHECK(complaint("--visible-loss 0.1 --mask density --mask-measure loss")
            .starts_with("--mask-measure loss learns"));
  CHECK(complaint("--predict-share 0").starts_with("--predict-share: must be"));
  CHECK(complaint("--predict-share 1.1") ==
        "--predict-share is a share of the hidden patches: at most 1");
}

TEST_CASE("what changes during a training is checked before it") {
  options const late = parsed("--mask ramped --mask-from 0.75 --mask-to 0.25 --mask-over 0.85,1");
  CHECK(late.ramp_begins == 0.85);
  CHECK(late.ramp_ends == 1);
  CHECK(complaint("--mask-over 0.5,1") == "--mask-over needs --mask ramped");
  for (char const* const wrong : {"0.5", "0.5,", ",1", "0.5,0.4", "0,2", "a,b", "0.1,0.2,0.3"})
    CHECK(complaint(std::string("--mask ramped --mask-over ") + wrong)
              .starts_with("--mask-over: must be two parts of the training"));
  options const scheduled = parsed(
      "--contrast 0.3 --head-schedule contrast=0@0,1@0.3;painter=1@0.8,0@0.9 --freeze-below "
      "6@0.85");
  CHECK(mae::to_text(scheduled.head_schedules) == "contrast=0@0,1@0.3;decoder=1@0.8,0@0.9");
  options const asking = parsed("--decoder cross --contrast 1 --head-schedule painter=1@0.8,0@0.9");
  CHECK(asking.decoder == pretrain::decoder_choice::cross);
  CHECK(mae::to_text(asking.head_schedules) == "cross_decoder=1@0.8,0@0.9");
  CHECK(pretrain::model_name(parsed("--config tiny4 --decoder cross")) == "tiny4-cross");
  CHECK(complaint("--decoder cross --precision bf16") ==
        "--decoder cross is trained in fp32: leave --precision bf16");
  CHECK(
      complaint("--decoder cross --backend thrust-cpp")
          .starts_with("--decoder cross is trained on the processor: leave --backend thrust-cpp"));
  CHECK(scheduled.frozen == 7);
  CHECK(scheduled.frozen_from == 0.85);
  CHECK(parsed("--freeze-below 0").frozen == 1);
  CHECK(parsed("--freeze-below 2").frozen_from == 0);
  CHECK(parsed("--contrast 1 --alternate 3").alternate == 3);
  CHECK(parsed("").alternate == 0);
  CHECK(complaint("--head-schedule contrast=1@0") ==
        "--head-schedule: contrast is off: give its weight by --contrast");
  CHECK(complaint("--head-schedule teacher=1@0") ==
        "--head-schedule: there is no head teacher: name painter, contrast, sigreg, "
        "uniformity, perceptual or denoiser");
  CHECK(complaint("--head-schedule painter=1@2").starts_with("--head-schedule: the schedule of"));
  CHECK(complaint("--head-schedule painter=1@0;decoder=0.5@0") ==
        "--head-schedule: the head 'decoder' has two schedules: give it one");
  CHECK(scheduled.conflicts == mae::conflict_rule::sum);
  CHECK(parsed("--contrast 1 --head-schedule project").conflicts == mae::conflict_rule::project);
  options const balanced =
      parsed("--contrast 1 --head-schedule contrast=0@0,1@0.3;balance --record-gradients 50");
  CHECK(balanced.conflicts == mae::conflict_rule::balance);
  CHECK(mae::to_text(balanced.head_schedules) == "contrast=0@0,1@0.3");
  CHECK(balanced.record_gradients == 50);
  CHECK(complaint("--contrast 1 --head-schedule balance;project") ==
        "--head-schedule: there is one rule for gradients: name project or balance once");
  CHECK(complaint("--head-schedule project") ==
        "--head-schedule: project and balance need two heads: give --contrast, or another");
  CHECK(complaint("--record-gradients 5") ==
        "--record-gradients needs two heads whose gradients meet: give --contrast, or another");
  CHECK(complaint("--contrast 1 --alternate 2 --head-schedule balance") ==
        "--alternate leaves one head a step, whose gradient conflicts with none: leave it, or "
        "project and balance of --head-schedule");
  CHECK(complaint("--alternate 1") ==
        "--alternate needs two heads to take turns: give --contrast, or another");
  CHECK(complaint("--config tiny4 --freeze-below 13") ==
        "--freeze-below 13: the encoder has 12 blocks");
  CHECK(complaint("--freeze-below 3@1.5").starts_with("--freeze-below: must be between 0 and 1"));
  CHECK(complaint("--freeze-below x").starts_with("--freeze-below: must be"));
}

TEST_CASE("a jitter is four amounts, and what happens by chance has a share of the views") {
  for (std::string const amounts : {"0.4",
                                    "0.4,0.4,0.2",
                                    "0.4,0.4,0.2,0.1,0",
                                    "0.4,0.4,0.2,0.6",
                                    "0.4,-1,0.2,0.1",
                                    "0.4,nan,0.2,0.1",
                                    "inf,0.4,0.2,0.1",
                                    "1e39,0.4,0.2,0.1",
                                    "0.4,,0.2,0.1",
                                    "0.4,0.4,0.2,",
                                    "0.4,0.4,0.2x,0.1"})
    CHECK(complaint("--jitter " + amounts) ==
          "--jitter: must be four numbers not below 0, of brightness, contrast, saturation and "
          "hues, the last 0.5 at most (0.4,0.4,0.2,0.1), not " +
              amounts);
  CHECK(complaint("--jitter-probability 0.5") == "--jitter-probability needs --jitter");
  for (std::string const flag : {"--grey", "--blur", "--solarise", "--jitter-probability"})
    for (std::string const share : {"-0.1", "1.1", "nan", "often"})
      CHECK(complaint(flag + " " + share) == flag + ": must be a number from 0 to 1, not " + share);
}

TEST_CASE("a report says the colours that are on") {
  CHECK(pretrain::colour_entries({}).empty());
  CHECK(pretrain::colour_entries(parsed("--jitter 0.4,0.4,0.2,0.1 --blur 0.5").colours) ==
        mae::settings_list{{"colours jittered", "0.8 of the views, by 0.4, 0.4, 0.2, 0.1"},
                           {"blurred", "0.5 of the views"}});
}

TEST_CASE("whole numbers are decimal and complete") {
  CHECK(parsed("--epochs 010").epochs == 10);
  CHECK(parsed("--seed 18446744073709551615").seed == 18446744073709551615U);
}

TEST_CASE("the help names every flag and fits a terminal of 100 columns") {
  std::ostringstream out;
  CHECK_FALSE(parse_words({"--help"}, out).has_value());
  std::string const help = out.str();
  for (char const* flag : {"--data",
                           "--config",
                           "--decoder-depth",
                           "--decoder",
                           "--mask",
                           "--mask-ratio",
                           "--mask-from",
                           "--mask-to",
                           "--saliency-strength",
                           "--mask-file",
                           "--mask-measure",
                           "--mask-budget",
                           "--mask-swing",
                           "--mask-levels",
                           "--mask-period",
                           "--mask-decided",
                           "--mask-hard",
                           "--mask-entropy",
                           "--mask-targets",
                           "--mask-lr",
                           "--density-token",
                           "--density-token-at",
                           "--objective",
                           "--epochs",
                           "--steps",
                           "--minutes",
                           "--batch-size",
                           "--accumulate",
                           "--base-lr",
                           "--lr",
                           "--weight-decay",
                           "--clip",
                           "--warmup-epochs",
                           "--crop-min",
                           "--seed",
                           "--threads",
                           "--precision",
                           "--out",
                           "--resume",
                           "--save-every",
                           "--probe",
                           "--probe-every",
                           "--preview",
                           "--quiet",
                           "--heldout-images",
                           "--backend",
                           "--interpolation",
                           "--initialiser",
                           "--hog-cell",
                           "--hog-bins",
                           "--hog-form",
                           "--principal-drop",
                           "--principal-patches",
                           "--teacher",
                           "--teacher-momentum",
                           "--teacher-blocks",
                           "--perceptual",
                           "--perceptual-block",
                           "--contrast",
                           "--sigreg",
                           "--uniformity",
                           "--temperature",
                           "--contrast-predictor",
                           "--contrast-keys",
                           "--contrast-queue",
                           "--views",
                           "--local-views",
                           "--local-crop",
                           "--paint-views",
                           "--predict-share",
                           "--visible-loss",
                           "--noise",
                           "--denoiser",
                           "--head-schedule",
                           "--alternate",
                           "--record-gradients",
                           "--freeze-below",
                           "--mask-over",
                           "--jitter",
                           "--jitter-probability",
                           "--grey",
                           "--blur",
                           "--solarise"}) {
    CAPTURE(flag);
    CHECK(help.find(std::string("\n  ") + flag + " ") != std::string::npos);
  }
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    CHECK(line.size() <= 100);
  }
}

}  // namespace
