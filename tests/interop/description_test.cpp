// What the files around a checkpoint say of its model: read, compared, refused by name.

#include "editable_file.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/data/channel_statistics.hpp>
#include <mae/data/dataset.hpp>
#include <mae/interop.hpp>
#include <mae/interop/huggingface_preprocessor.hpp>
#include <mae/interop/preprocessing.hpp>
#include <mae/interop/timm_config.hpp>
#include <mae/io/model_file.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/configs.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace {

using mae::checkpoint_format;
using mae::preprocessing;

bool holds(std::string const& text, std::string const& part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

constexpr mae::model_config oblong{
    .image = {8, 12, 3}, .patch = {4, 4}, .encoder = {1, 24, 6}, .decoder = {1, 8, 2}};
mae::pixel_statistics const statistics{
    .mean = {0.5, 0.25, 0.125}, .deviation = {0.25, 0.5, 1}, .scale = 1.0 / 255};

/// A file of ours, and what may lie beside it.
struct checkpoint {
  mae_test::temporary_folder folder;
  std::string path = folder.file("model.safetensors");

  checkpoint() {
    mae::autoencoder<oblong> model({.seed = 1});
    model.set_statistics(statistics);
    mae::save_model(path, model);
  }
  void remove_metadata(std::vector<std::string> const& names) const {
    editable_file file(path);
    for (auto const& name : names) file.metadata.erase(name);
    file.save(path);
  }
  void silence() const {
    editable_file file(path);
    file.metadata.clear();
    file.save(path);
  }
  void put(std::string const& name, std::string const& text) const {
    write_text(folder.file(name), text);
  }
  template <class Error = mae::format_error>
  std::string refusal(mae::read_options const& options = {}) const {
    return refusal_of<Error>([&] { mae::read_pretrained(path, options); });
  }
};

constexpr mae::image_extent square{.height = 32, .width = 32};
preprocessing parsed(std::string const& text, mae::image_extent const& image = square) {
  std::vector<std::string> notes;
  return mae::parse_preprocessor("p.json", text, image, notes);
}
std::string refused(std::string const& text, mae::image_extent const& image = square) {
  return refusal_of<mae::format_error>([&] { parsed(text, image); });
}

}  // namespace

TEST_CASE("all that is missing of our own metadata is named at once") {
  checkpoint const file;
  file.remove_metadata({"image_width", "patch_height", "decoder_mlp_ratio"});
  CHECK(holds(file.refusal(), "this is missing: image_width, patch_height, decoder_mlp_ratio"));
}

TEST_CASE("what a reader knows fills gaps, and contradicts nothing") {
  checkpoint const file;
  CHECK(holds(file.refusal<mae::config_error>({.heads = 3}),
              "encoder_heads is 6 in its metadata, but 3 in --heads"));
  CHECK(mae::read_pretrained(file.path, {.heads = 6, .decoder_heads = 2}).notes.empty());
  file.silence();
  CHECK(holds(file.refusal(), "its 6 positions form no square: --image-size HxW says"));
  CHECK(holds(file.refusal<mae::config_error>({.image_height = 8, .image_width = 8}),
              "--image-size is 8x8, but the file has positions for 6 patches of 4x4"));
  CHECK(holds(
      file.refusal<mae::config_error>({.image_height = 8, .image_width = 12, .patch = {8, 8}}),
      "patch_height is 4 in its tensors, but 8 in --patch-size"));
  CHECK(holds(file.refusal({.heads = 5, .image_height = 8, .image_width = 12}),
              "an encoder of width 24 and 5 heads"));
  auto const found = mae::read_pretrained(
      file.path, {.heads = 6, .decoder_heads = 2, .image_height = 8, .image_width = 12});
  CHECK(found.sizes == oblong);
  CHECK(found.notes.empty());
  // Heads that nobody knows: the message names the flag.
  auto const unknown = mae::read_pretrained(file.path, {.image_height = 8, .image_width = 12});
  CHECK(holds(refusal_of<mae::config_error>(
                  [&] { mae::open_pretrained_encoder(unknown, mae::eigen_backend<float>(1)); }),
              "its 1 layers of width 24 have: --heads says it"));
}

TEST_CASE("heads of a preset and a square grid are assumed aloud") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("bare.safetensors");
  mae::save_model(path, mae::autoencoder<mae::configs::micro8>({.seed = 1}));
  editable_file file(path);
  file.metadata.clear();
  file.save(path);
  CHECK(
      mae::read_pretrained(path).notes ==
      std::vector<std::string>{
          "assumed: images of 32x32, from a square grid of 16 patches; --image-size says otherwise",
          "assumed: heads 3, as micro8 has; --heads says otherwise",
          "assumed: decoder heads 3, as micro8 has; --decoder-heads says otherwise"});
  auto const notes = mae::read_pretrained(path, {.flags_of = "mae_convert's "}).notes;
  CHECK(holds(notes.back(), "; mae_convert's --decoder-heads says otherwise"));
}

TEST_CASE("what was only assumed is no objection to a model that knows") {
  constexpr mae::model_config wide{
      .image = {16, 64, 3}, .patch = {8, 8}, .encoder = {1, 48, 12}, .decoder = {1, 24, 2}};
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("bare.safetensors");
  mae::autoencoder<wide> const model({.seed = 1});
  mae::save_model(path, model);
  editable_file file(path);
  file.metadata.clear();
  file.save(path);
  auto const found = mae::read_pretrained(path);
  CHECK(found.sizes.image == mae::image_extent{32, 32, 3});
  CHECK(found.sizes.encoder.heads == 3);
  mae::autoencoder<wide> other({.seed = 2});
  mae::load_pretrained(found, other);
  CHECK(std::ranges::equal(other.parameters().values(), model.parameters().values()));
}

TEST_CASE("files that say different things of one model are refused with both names") {
  checkpoint const file;
  SUBCASE("heads") {
    file.put("config.json", R"({"architecture": "x", "model_args": {"num_heads": 4}})");
    CHECK(holds(file.refusal(), "encoder_heads is 6 in its metadata, but 4 in config.json"));
  }
  SUBCASE("statistics") {
    file.put("preprocessor_config.json", R"({"image_mean": 0.5, "image_std": 0.5})");
    CHECK(holds(file.refusal(), "in its metadata, but 0.5 0.5 0.5 in preprocessor_config.json"));
  }
  SUBCASE("the same") {
    file.put("config.json",
             R"({"model_args": {"num_heads": 6, "img_size": [8, 12], "patch_size": 4}})");
    CHECK(mae::read_pretrained(file.path).sizes == oblong);
  }
}

TEST_CASE("a config.json beside official names is read, whoever wrote it") {
  checkpoint const file;
  file.silence();
  SUBCASE("timm") {
    file.put("config.json",
             R"({"architecture": "vit_x", "model_args": {"num_heads": 6, "img_size": [8, 12]},
                 "pretrained_cfg": {"input_size": [3, 8, 12], "mean": [0.5, 0.4, 0.3],
                                    "std": [0.5, 0.5, 0.5], "interpolation": "bilinear",
                                    "crop_pct": 1.0}})");
    auto const model = mae::read_pretrained(file.path, {.decoder_heads = 2});
    CHECK(model.sizes == oblong);
    CHECK(model.statistics().mean == std::vector{0.5, 0.4, 0.3});
    CHECK(model.pictures().resample == "bilinear");
    CHECK(model.notes.empty());
  }
  SUBCASE("timm before 0.9") {
    file.put(
        "config.json",
        R"({"architecture": "vit_x", "input_size": [3, 8, 12], "crop_pct": 0.8, "mean": null})");
    auto const model = mae::read_pretrained(file.path);
    CHECK(model.sizes.image == oblong.image);
    CHECK(model.statistics() == mae::imagenet_statistics());
    CHECK(model.pictures().resized_height == 10);
  }
  SUBCASE("nobody") {
    file.put("config.json", R"({"learning_rate": 1})");
    auto const notes =
        mae::read_pretrained(file.path, {.heads = 6, .image_height = 8, .image_width = 12}).notes;
    CHECK(holds(notes.front(), "config.json, which is neither timm's nor Hugging Face's"));
  }
}

TEST_CASE("timm's heads are those of its architecture") {
  auto const heads_of = [](std::string const& architecture, mae::index_t width) {
    std::vector<std::string> notes;
    auto const config = mae::parse_timm_config("c", R"({"architecture": ")" + architecture + "\"}");
    auto const said = mae::describe("c", config, {.width = width}, notes);
    return said.empty() ? std::string() : said.front().value;
  };
  CHECK(heads_of("vit_small_patch16_224", 384) == "6");
  CHECK(heads_of("vit_base_patch16_224.mae", 768) == "12");
  CHECK(heads_of("deit_tiny_patch16_224", 192) == "3");
  CHECK(heads_of("vit_small_patch16_224", 192).empty());  // another model of that name
  CHECK(heads_of("vit_so150m_patch16", 896).empty());
}

TEST_CASE("timm's two sizes of images: as timm takes them, or refused") {
  auto const described = [](std::string const& more,
                            std::vector<std::string>& notes,
                            std::pair<mae::index_t, mae::index_t> const& asked = {}) {
    auto const config = mae::parse_timm_config(
        "c",
        R"({"model_args": {"img_size": 32}, "pretrained_cfg": {"input_size": [3, 224, 224])" +
            more + "}}");
    return mae::describe(
        "c", config, {.width = 192, .image = asked, .flags_of = "a tool's "}, notes);
  };
  std::vector<std::string> notes;
  CHECK(described(R"(, "fixed_input_size": true)", notes).front().value == "32");
  CHECK(holds(notes.at(0), "assumed: images of 32x32, as timm takes them"));
  CHECK(holds(notes.at(0), "; a tool's --image-size says otherwise"));
  notes.clear();
  CHECK(described(R"(, "fixed_input_size": true)", notes, {224, 224}).front().value == "224");
  CHECK(described(R"(, "fixed_input_size": true)", notes, {32, 32}).front().value == "32");
  CHECK(notes.empty());
  CHECK(holds(refusal_of<mae::format_error>([&] { described("", notes); }),
              "img_size of model_args is 32x32, input_size of pretrained_cfg 224x224"));
}

TEST_CASE("what a timm config changes in a model is refused") {
  for (std::string const text : {R"({"model_args": {"act_layer": "quick_gelu"}})",
                                 R"({"model_args": {"norm_layer": "rmsnorm"}})",
                                 R"({"model_args": {"mlp_layer": "swiglu"}})",
                                 R"({"architecture": "vit_relpos_base_patch16_224"})",
                                 R"({"architecture": "vit_base_patch16_clip_quickgelu_224"})"})
    CHECK(holds(refusal_of<mae::format_error>([&] { mae::parse_timm_config("c", text); }),
                "another model"));
}

TEST_CASE("a size that is none is refused by its name") {
  auto const refusal = [](std::string const& value) {
    return refusal_of<mae::format_error>(
        [&] { mae::parse_timm_config("c", R"({"model_args": {"depth": )" + value + "}}"); });
  };
  for (char const* value : {R"("18x2")", "[18, 2]", "-1", "true"})
    CHECK(holds(refusal(value), R"(expected an unsigned integer for "depth")"));
  for (char const* value : {"18.0", "1e1"})
    CHECK(holds(refusal(value), "a size that is no whole number"));
  CHECK(holds(refusal_of<mae::format_error>(
                  [] { mae::parse_timm_config("c", R"({"model_args": {"num_heads": 0}})"); }),
              "num_heads is 0"));
}

TEST_CASE("what a conversion would hand on without reading it is refused, too") {
  auto const refusal = [](std::string const& name, std::string const& value) {
    checkpoint const file;
    editable_file changed(file.path);
    changed.metadata[name] = value;
    changed.save(file.path);
    return refusal_of<mae::error>([&] { mae::read_pretrained(file.path); });
  };
  for (char const* value : {"0", "-1", "1e-6 1", ""})
    CHECK(holds(refusal("norm_epsilon", value), "epsilon must be one positive number"));
  CHECK(holds(refusal("norm_epsilon", "18x2"), "not a list of numbers: 18x2"));
  for (char const* value : {"1", "-0.5", "18x2", ""})
    CHECK(holds(refusal("mask_ratio", value), "mask_ratio cannot be "));
  CHECK(holds(refusal("picture_middle", "odd"), "picture_middle cannot be 'odd'"));
  CHECK(holds(refusal("picture_exact", "no"), "picture_exact cannot be 'no'"));
  CHECK(holds(refusal("position_order", "row first"), "position_order is row first"));
  CHECK(holds(refusal("encoder_heads", "0"), "encoder_heads is no size: '0'"));
}

TEST_CASE("an epsilon that is assumed has a flag, and so has a processor nobody knows") {
  std::string const named = MAE_TESTS_DIR "/interop/fixtures/grey/model.safetensors";
  mae_test::temporary_folder const folder;
  std::string const bare = folder.file("model.safetensors");
  write_text(bare, read_text(named));
  CHECK(holds(mae::read_pretrained(bare).notes.front(),
              "an epsilon of 1e-12 in norms, as Hugging Face's ViTMAE has; --norm-epsilon says"));
  auto const said = mae::read_pretrained(bare, {.norm_epsilon = 1e-5});
  CHECK(said.norm_epsilon() == 1e-5);
  for (auto const& note : said.notes) CHECK(note.find("epsilon") == std::string::npos);

  checkpoint const file;
  CHECK(holds(file.refusal<mae::config_error>({.norm_epsilon = 1e-5}), "1e-05 in --norm-epsilon"));
  file.remove_metadata({"pixel_mean", "pixel_deviation", "pixel_scale"});
  file.put("preprocessor_config.json",
           R"({"image_processor_type": "OtherImageProcessor", "size": [8, 12], "resample": 2,
               "do_resize": true, "do_center_crop": false, "image_mean": 0.5, "image_std": 0.5})");
  auto const other = mae::read_pretrained(file.path);
  CHECK(holds(other.notes.front(), "does nothing else; --fit, --resample, --rescale and "));
  for (char const* entry : {"picture_fit", "picture_resample", "pixel_mean", "pixel_rescale"})
    CHECK(other.assumed.contains(entry));
}

TEST_CASE("statistics keep their meaning in any unit") {
  auto const bytes = parsed(R"({"do_rescale": false, "image_mean": [123.675, 116.28, 103.53],
                                "image_std": [58.395, 57.12, 57.375], "size": 32})");
  CHECK(bytes.rescale == 1);
  for (std::size_t c = 0; c < 3; ++c) {
    CHECK(bytes.statistics.mean[c] == doctest::Approx(mae::imagenet_statistics().mean[c]));
    CHECK(bytes.statistics.deviation[c] ==
          doctest::Approx(mae::imagenet_statistics().deviation[c]));
  }
  // Written anew, without the file's own text: the same numbers.
  std::string const text = mae::preprocessor_text("m", bytes, square);
  CHECK(holds(text, "\"image_mean\": [123.675, 116.28, 103.53]"));
  CHECK(holds(text, "\"do_rescale\": false"));
  CHECK(holds(text, "\"resample\": 2"));
  CHECK(parsed(text).rescale == 1);

  auto const silent = parsed(R"({"size": 32})");
  CHECK(silent.statistics.mean == std::vector{0.5, 0.5, 0.5});
  CHECK(silent.resample == "bilinear");
  auto const raw = parsed(R"({"size": 32, "do_normalize": false, "image_std": 0})");
  CHECK(raw.statistics.mean == std::vector{0.0, 0.0, 0.0});
  CHECK(raw.statistics.deviation == std::vector{1.0, 1.0, 1.0});
}

TEST_CASE("pictures are described in metadata as they are read") {
  for (std::string const text :
       {R"({"size": 32})",
        R"({"size": {"shortest_edge": 40}, "do_center_crop": true, "crop_size": 32})",
        R"({"size": [40, 44], "do_center_crop": true, "crop_size": [32, 32], "resample": 1})",
        R"({"do_resize": false, "rescale_factor": 0.0078125})",
        R"({"do_resize": false, "do_center_crop": true, "crop_size": 32})"}) {
    CAPTURE(text);
    auto const how = parsed(text);
    mae::safetensors_metadata entries;
    for (auto const& [name, value] : mae::describe(how)) entries[name] = value;
    CHECK(mae::parse_preprocessing("m", entries, 3) == how);
    CHECK(parsed(mae::preprocessor_text("m", how, square)) == how);
  }
}

TEST_CASE("values that cannot be are refused with their file") {
  for (auto const& [config, why] : std::vector<std::pair<std::string, std::string>>{
           {R"({"image_mean": [0.5, 0.5]})", "the mean of 2 channels"},
           {R"({"image_std": [0.5, 0.5, 0.5, 0.5]})", "the deviation of 4 channels"},
           {R"({"image_std": [0.5, 0, 0.5]})", "a deviation of 0"},
           {R"({"image_std": -1})", "a deviation of -1"},
           {R"({"image_std": 1e-60})", "a deviation of 1e-60"},
           {R"({"image_mean": 1e60})", "which no float can hold"},
           {R"({"rescale_factor": 0})", "rescale_factor is 0"},
           {R"({"resample": 6})", "no filter"},
           {R"({"size": {"height": 32}})", "height and width, or shortest_edge"},
           {R"({"size": {"longest_edge": 32}})", "longest_edge' is not read"},
           {R"({"size": 64})", "size is 64x64, but the model's images are 32x32"},
           {R"({"do_center_crop": true, "size": 40})", "no crop_size"},
           {R"({"do_center_crop": true, "crop_size": 24})", "crop_size is 24x24"},
           {R"({"do_pad": true})", "do_pad is true"},
           {R"({"crop_pct": 0.875})", "crop_pct"},
           {R"({"image_processor_type": "CLIPImageProcessor", "size": 32})",
            "write its values into the file (resample, do_resize"}}) {
    std::string const text = config;
    CAPTURE(text);
    std::string const what = refused(text);
    CHECK(what.starts_with("p.json"));
    CHECK(holds(what, why));
  }
}

TEST_CASE("what is assumed of a preprocessor_config.json is noted") {
  auto const note_of = [](std::string const& text) {
    std::vector<std::string> notes;
    mae::parse_preprocessor("p.json", text, square, notes);
    return notes.size() == 1 ? notes.front() : std::to_string(notes.size()) + " notes";
  };
  CHECK(note_of("{}") ==
        "assumed: pictures are stretched to the model's 32x32, as p.json has no size; --fit says "
        "otherwise");
  CHECK(holds(note_of(R"({"size": {"shortest_edge": 40}})"), "the middle is taken"));
  CHECK(holds(note_of(R"({"size": 32, "image_mean": null})"), "0.5 where p.json has null"));
  CHECK(note_of(R"({"size": 32, "image_mean": null})").ends_with("; --statistics says otherwise"));
  std::vector<std::string> none;
  CHECK(mae::parse_preprocessor("p.json", "{}", {.height = 224, .width = 224}, none).fit ==
        "stretch");
  CHECK(none.empty());  // the size that transformers takes then
  CHECK(note_of(R"({"size": 32, "image_mean": null, "do_normalize": null})") == "0 notes");
}
