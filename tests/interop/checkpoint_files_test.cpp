// Which files are read, under which names, and what of them is left out or refused.

#include "editable_file.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/interop/naming.hpp>
#include <mae/interop/pretrained.hpp>
#include <mae/interop/resize_images.hpp>
#include <mae/interop/save_pretrained.hpp>
#include <mae/interop/tensor_files.hpp>
#include <mae/interop/timm_config.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/parameter_file.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/io/safetensors_writer.hpp>
#include <mae/model/pooling.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

std::string const fixtures = MAE_TESTS_DIR "/interop/fixtures/";

bool holds(std::string const& text, std::string const& part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

std::string all_of(std::vector<std::string> const& notes) {
  std::string text;
  for (auto const& note : notes) text += note + '\n';
  return text;
}

/// A file of one tensor, whose header is padded to `header_bytes`.
std::string file_of_header(std::size_t header_bytes) {
  std::string header = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
  REQUIRE(header.size() <= header_bytes);
  header.resize(header_bytes, ' ');
  std::string prefix;
  for (unsigned shift = 0; shift < 64; shift += 8)
    prefix += static_cast<char>(std::uint64_t{header_bytes} >> shift & 0xFF);
  return prefix + header + "x";
}

bool is_read(mae_test::temporary_folder const& folder, std::size_t header_bytes) {
  std::string const path = folder.file("padded.safetensors");
  write_text(path, file_of_header(header_bytes));
  return mae::tensor_files::open(path).contains("a");
}

/// What PyTorch begins its files with: a zip archive's first entry, its format of before 1.6, and
/// pickle's protocol 4.
std::vector<std::string> const pickles{
    std::string("PK\3\4\0\0\x08\x08\0\0", 10) + std::string(100, 'x'),
    "\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\2M\xe9\3." + std::string(100, 'x'),
    std::string("\x80\4\x95\x12\x34\0\0\0\0\0\0}", 12) + std::string(100, 'x')};

/// A copy of the fixture `rgb` in one file under official names, of which tensors can be renamed
/// and added; without its own metadata.
struct official_file {
  mae_test::temporary_folder folder;
  std::string path = folder.file("official.safetensors");

  official_file() {
    auto const model = mae::read_pretrained(fixtures + "rgb");
    std::vector<mae::tensor_entry> tensors;
    std::vector<std::vector<float>> kept;
    for (auto const& tensor : model.layout.tensors()) {
      auto const values = model.tensor(tensor.name);
      kept.emplace_back(values.begin(), values.end());
      if (tensor.channels_last)
        mae::reorder_channels<float, float>(
            tensor.shape, mae::channel_order::first, values, kept.back());
      tensors.push_back({.name = tensor.name,
                         .type = mae::dtype::f32,
                         .shape = mae::file_shape(tensor),
                         .bytes = std::as_bytes(std::span<float const>(kept.back()))});
    }
    mae::save_safetensors(path, tensors, {});
  }

  template <class Rename>
  void rename(Rename const& renamed) const {
    editable_file file(path);
    for (auto& tensor : file.tensors) tensor.name = renamed(tensor.name);
    file.save(path);
  }
  void remove_decoder() const {
    editable_file file(path);
    std::erase_if(file.tensors, [](auto const& tensor) {
      return tensor.name.starts_with("decoder_") || tensor.name == "mask_token";
    });
    file.save(path);
  }
  void add(std::initializer_list<std::string> names) const {
    editable_file file(path);
    for (auto const& name : names) {
      auto extra = file.tensor("patch_embed.proj.bias");
      extra.name = name;
      file.tensors.push_back(extra);
    }
    file.save(path);
  }
  mae::pretrained_model read() const { return mae::read_pretrained(path); }
  std::string refusal() const {
    return refusal_of<mae::format_error>([&] { static_cast<void>(read()); });
  }
};

void check_same_values(mae::pretrained_model const& one, mae::pretrained_model const& other) {
  for (auto const& tensor : one.layout.tensors()) {
    CAPTURE(tensor.name);
    CHECK(std::ranges::equal(one.tensor(tensor.name), other.tensor(tensor.name)));
  }
}

}  // namespace

TEST_CASE("a safetensors file is read whatever the length of its header begins like") {
  mae_test::temporary_folder const folder;
  for (std::size_t length = 60; length < 1'600; ++length) {
    CAPTURE(length);
    REQUIRE(is_read(folder, length));
  }
  constexpr std::size_t zip = 0x4B50;  // "PK"
  for (std::size_t const high : {0U, 1U, 2U, 3U, 0x0AU, 0x7DU}) {
    CAPTURE(high);
    CHECK(is_read(folder, zip + (high << 16U)));
    for (std::size_t protocol = 0; protocol <= 5; ++protocol)
      CHECK(is_read(folder, 0x80 + (protocol << 8U) + (high << 16U)));
  }
}

TEST_CASE("pickles are refused with a command that makes safetensors of them") {
  mae_test::temporary_folder const folder;
  for (auto const& pickle : pickles) {
    std::string const path = folder.file("it's mine.pth");
    write_text(path, pickle);
    std::string const what = refusal_of<mae::format_error>([&] { mae::tensor_files::open(path); });
    CHECK(holds(what, "this is a pickle of PyTorch"));
    CHECK(holds(what, "it'\\''s mine.safetensors' '"));
    CHECK(what.ends_with("it'\\''s mine.pth'"));
  }
}

TEST_CASE("a folder of pickles alone is refused as they are") {
  mae_test::temporary_folder const folder;
  auto const refusal = [&] {
    return refusal_of<mae::format_error>([&] { mae::tensor_files::open(folder.path()); });
  };
  std::string const root = folder.path().string();
  write_text(folder.file("training_args.bin"), pickles[0]);
  write_text(folder.file("pytorch_model-00001-of-00002.bin"), pickles[0]);
  write_text(folder.file("pytorch_model-00002-of-00002.bin"), pickles[0]);
  write_text(folder.file("pytorch_model.bin.index.json"), "{}");
  CHECK(refusal().ends_with(" '" + root + "/model.safetensors' '" + root +
                            "/pytorch_model-00001-of-00002.bin' '" + root +
                            "/pytorch_model-00002-of-00002.bin'"));
  write_text(folder.file("pytorch_model.bin"), pickles[0]);
  CHECK(refusal().ends_with(" '" + root + "/model.safetensors' '" + root + "/pytorch_model.bin'"));
}

TEST_CASE("a folder's variant is read where there is nothing else") {
  mae_test::temporary_folder const folder;
  std::string const one = file_of_header(64);
  auto const opened = [&] { return mae::tensor_files::open(folder.path()); };
  write_text(folder.file("model.fp16.safetensors"), one);
  write_text(folder.file("model.fp16-00001-of-00002.safetensors"), one);
  CHECK(opened().path() == folder.file("model.fp16.safetensors"));
  CHECK(holds(all_of(opened().notes()), "assumed: "));
  write_text(folder.file("model.safetensors.index.bf16.json"),
             R"({"weight_map": {"a": "model.fp16.safetensors"}})");
  CHECK(holds(refusal_of<mae::format_error>(opened),
              "several variants (model.fp16.safetensors, model.safetensors.index.bf16.json)"));
  CHECK(mae::tensor_files::open(folder.file("model.safetensors.index.bf16.json")).contains("a"));
  write_text(folder.file("model.safetensors"), one);
  CHECK(opened().path() == folder.file("model.safetensors"));
  CHECK(opened().notes().empty());

  auto const vit = mae::tensor_files::open(fixtures + "vit");
  CHECK(vit.path() == fixtures + "vit/model.safetensors.index.fp16.json");
  CHECK(vit.contains("encoder.layer.1.output.dense.bias"));
}

TEST_CASE("of a file and an index in one folder the file is read, as transformers reads it") {
  mae_test::temporary_folder const folder;
  write_text(folder.file("model.safetensors"), file_of_header(64));
  write_text(folder.file("model.safetensors.index.json"), "not even read");
  auto const opened = mae::tensor_files::open(folder.path());
  CHECK(opened.path() == folder.file("model.safetensors"));
  REQUIRE(opened.notes().size() == 1);
  CHECK(opened.notes()[0].starts_with("assumed: " + folder.file("model.safetensors")));
  CHECK(holds(opened.notes()[0], "not the shards of model.safetensors.index.json"));
}

TEST_CASE("names of wrappers are stripped and said") {
  auto const original = official_file().read();
  CHECK(original.notes.end() == std::ranges::find_if(original.notes, [](std::string const& note) {
          return note.starts_with("stripped");
        }));
  auto const anywhere = [](std::string const& name) {
    return name.starts_with("blocks.1.") ? "blocks.1._orig_mod." + name.substr(9)
                                         : "module." + name;
  };
  official_file const nested;
  nested.rename([](std::string const& name) { return "_orig_mod.module." + name; });
  check_same_values(original, nested.read());
  CHECK(holds(all_of(nested.read().notes), "stripped: _orig_mod.module. from the names of "));
  official_file const inner;
  inner.rename(anywhere);
  check_same_values(original, inner.read());
  CHECK(holds(all_of(inner.read().notes), "stripped: module. from the names of "));
  CHECK(holds(all_of(inner.read().notes), "stripped: _orig_mod. from the names of 12 tensors"));
  official_file const both;
  both.add({"module.norm.weight"});
  CHECK(holds(both.refusal(), "module.norm.weight stands here twice"));
}

TEST_CASE("heads are left out of an encoder and named") {
  official_file const file;
  auto const original = file.read();
  file.remove_decoder();
  file.add({"head.weight", "head.bias", "n_averaged", "mask_token"});
  auto const model = file.read();
  CHECK_FALSE(model.has_decoder);
  check_same_values(model, original);
  CHECK(holds(all_of(model.notes), "left out: head.bias, head.weight, mask_token, n_averaged of "));

  file.add({"something.else"});
  CHECK(holds(file.refusal(), "tensor something.else [16] is in the file, but not in the model"));
}

TEST_CASE("the norm of a mean stays one, and goes nowhere where it would be another") {
  official_file const file;
  file.remove_decoder();
  auto const original = file.read();
  CHECK(original.final_norm() == mae::norm_place::tokens);
  file.rename(
      [](std::string const& name) { return name.starts_with("norm.") ? "fc_" + name : name; });
  auto const model = file.read();
  check_same_values(model, original);
  CHECK(model.final_norm() == mae::norm_place::pooled);
  for (auto const format : {mae::checkpoint_format::official, mae::checkpoint_format::timm}) {
    std::string const copy = file.folder.file("copy.safetensors");
    mae::save_pretrained(copy, model, format);
    auto const again = mae::read_pretrained(copy);
    CHECK(again.final_norm() == mae::norm_place::pooled);
    check_same_values(again, original);
  }
  CHECK(holds(refusal_of<mae::config_error>([&] {
                mae::save_pretrained(
                    file.folder.file("hub"), model, mae::checkpoint_format::huggingface);
              }),
              "its final norm is of the pooled tokens (fc_norm)"));
  // Beside a final norm it is a head's.
  file.add({"norm.weight", "norm.bias"});
  CHECK(holds(all_of(file.read().notes), "left out: fc_norm.bias, fc_norm.weight of "));
}

TEST_CASE("another architecture is refused by name") {
  struct foreign {
    std::string tensor;
    std::string what;
  };
  for (auto const& [name, what] :
       {foreign{"dist_token", "a distillation token, as DeiT has"},
        foreign{"deit.embeddings.distillation_token", "a distillation token, as DeiT has"},
        foreign{"head_dist.weight", "a distillation token, as DeiT has"},
        foreign{"reg_token", "register tokens"},
        foreign{"embeddings.register_tokens", "register tokens"},
        foreign{"blocks.0.ls1.gamma", "layer scale"},
        foreign{"blocks.0.gamma_1", "layer scale"},
        foreign{"encoder.layer.0.layer_scale1.lambda1", "layer scale"},
        foreign{"rope.periods", "rotary positions"},
        foreign{"blocks.0.attn.relative_position_bias_table", "relative positions"},
        foreign{"blocks.0.attn.rel_pos.mlp.fc1.weight", "relative positions"},
        foreign{"shared_rel_pos.mlp.fc1.bias", "relative positions"},
        foreign{"blocks.0.attn.q_norm.weight", "norms of queries and keys"},
        foreign{"norm_pre.weight", "a norm before its layers"},
        foreign{"blocks.0.mlp.norm.weight", "norms within its attention or MLP"},
        foreign{"blocks.0.mlp.w12.weight", "gated MLPs (SwiGLU)"},
        foreign{"blocks.0.attn.q_bias", "biases of queries and values alone"},
        foreign{"patch_embed.backbone.stem.conv.weight", "a network in place of the patch"},
        foreign{"attn_pool.latent", "attention in place of a class token"}}) {
    std::string const tensor = name;
    CAPTURE(tensor);
    official_file const file;
    file.add({tensor});
    std::string refused = "its model has ";
    refused += what;
    CHECK(holds(file.refusal(), refused));
    CHECK(holds(file.refusal(), '(' + tensor + ')'));
  }
  official_file const no_class;
  no_class.rename([](std::string const& name) { return name == "cls_token" ? "other" : name; });
  CHECK(holds(no_class.refusal(), "its model has no class token"));
  official_file const no_biases;
  no_biases.rename(
      [](std::string const& name) { return name == "blocks.0.attn.qkv.bias" ? "other" : name; });
  CHECK(holds(no_biases.refusal(), "its model has no biases of queries, keys and values"));
  CHECK(holds(
      refusal_of<mae::format_error>([] {
        mae::parse_timm_config("config.json", R"({"architecture": "vit_base_patch16_rpn_224"})");
      }),
      "architecture is 'vit_base_patch16_rpn_224', which normalises after attention and MLP"));
  official_file const no_positions;
  no_positions.rename([](std::string const& name) { return name == "pos_embed" ? "other" : name; });
  CHECK(holds(no_positions.refusal(), "its model has no table of positions (pos_embed)"));
}

TEST_CASE("a plain ViT of Hugging Face's is an encoder, its pooler or classifier left out") {
  auto const vit = mae::read_pretrained(fixtures + "vit");
  CHECK_FALSE(vit.has_decoder);
  CHECK(vit.sizes.image == mae::image_extent{12, 9, 3});
  CHECK(vit.sizes.encoder == mae::stack_config{2, 12, 3, {3, 1}});
  CHECK(vit.norm_epsilon() == 1e-6);
  CHECK_FALSE(vit.entry("mask").has_value());
  CHECK_FALSE(vit.norm_pix().has_value());
  CHECK(holds(all_of(vit.notes), "left out: pooler.dense.bias, pooler.dense.weight of "));
  auto const classifier = mae::read_pretrained(fixtures + "vit_classifier");
  CHECK(classifier.norm_epsilon() == 1e-12);
  CHECK(holds(all_of(classifier.notes), "left out: classifier.bias, classifier.weight of "));
}

TEST_CASE("a ViT for masked images loses its other decoder and its mask token") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("model.safetensors");
  editable_file file(fixtures + "vit_classifier/model.safetensors");
  file.tensor("classifier.weight").name = "decoder.0.weight";
  file.tensor("classifier.bias").name = "vit.embeddings.mask_token";
  file.save(path);
  fs::copy(fixtures + "vit_classifier/config.json", folder / "config.json");
  auto const model = mae::read_pretrained(folder.path());
  check_same_values(model, mae::read_pretrained(fixtures + "vit_classifier"));
  CHECK(holds(all_of(model.notes), "left out: decoder.0.weight, vit.embeddings.mask_token of "));
}

TEST_CASE("positions without the class token's are another architecture") {
  mae_test::temporary_folder const folder;
  editable_file file(fixtures + "vit_classifier/model.safetensors");
  auto& positions = file.tensor("vit.embeddings.position_embeddings");
  REQUIRE(positions.shape == std::vector<mae::index_t>{1, 17, 12});
  positions.shape[1] = 16;
  positions.bytes = positions.bytes.first(16 * 12 * 4);
  file.save(folder.file("model.safetensors"));
  fs::copy(fixtures + "vit_classifier/config.json", folder / "config.json");
  CHECK(holds(refusal_of<mae::format_error>([&] { mae::read_pretrained(folder.path()); }),
              "its model has positions of its patches alone, none of the class token: another "));
}

TEST_CASE("an encoder goes to transformers and back, also for images that are not square") {
  using mae::checkpoint_format;
  mae_test::temporary_folder const folder;
  auto const vit = mae::read_pretrained(fixtures + "vit");
  mae::save_pretrained(folder.file("hub"), vit, checkpoint_format::huggingface);
  std::string const config = read_text(folder.file("hub/config.json"));
  CHECK(holds(config, R"("model_type": "vit")"));
  CHECK(holds(config, R"("image_size": [12, 9])"));
  CHECK(holds(config, R"("patch_size": 3)"));
  CHECK(config.find("decoder") == std::string::npos);
  auto const again = mae::read_pretrained(folder.file("hub"));
  check_same_values(again, vit);
  CHECK(again.description == vit.description);

  // The encoder of a masked autoencoder stays a ViTMAE's; a decoder takes squares alone.
  auto const larger = mae::resize_images(mae::read_pretrained(fixtures + "rgb"), {24, 15, 3});
  CHECK(holds(refusal_of<mae::config_error>([&] {
                mae::save_pretrained(folder.file("no"), larger, checkpoint_format::huggingface);
              }),
              "square images and patches alone, not 24x15x3 in patches of 3x3: write the encoder "
              "alone (mae_convert --to timm)"));
  // As wide as pixels, but none: the magnitudes of patches two pixels wide would be.
  auto other = mae::read_pretrained(fixtures + "rgb");
  other.description["objective"] = "fourier";
  CHECK(other.other_targets() == "fourier");
  CHECK(holds(refusal_of<mae::config_error>([&] {
                mae::save_pretrained(folder.file("no"), other, checkpoint_format::huggingface);
              }),
              "ViTMAE predicts pixels, this decoder something else"));
  mae::save_pretrained(folder.file("encoder"), larger, checkpoint_format::timm);
  auto const encoder = mae::read_pretrained(folder.file("encoder"));
  CHECK(encoder.sizes.image == mae::image_extent{24, 15, 3});
  mae::save_pretrained(folder.file("mae"), encoder, checkpoint_format::huggingface);
  CHECK(holds(read_text(folder.file("mae/config.json")), R"("model_type": "vit_mae")"));
  check_same_values(mae::read_pretrained(folder.file("mae")), encoder);
}

TEST_CASE("an encoder needs no decoder's sizes, whatever stands in its config.json") {
  mae_test::temporary_folder const folder;
  auto const model = mae::read_pretrained(fixtures + "rgb");
  mae::save_pretrained(folder.file("timm"), model, mae::checkpoint_format::timm);
  mae::save_pretrained(folder.file("hub"),
                       mae::read_pretrained(folder.file("timm")),
                       mae::checkpoint_format::huggingface);
  std::string config = read_text(folder.file("hub/config.json"));
  config.insert(config.find('{') + 1,
                R"("decoder_hidden_size": 7, "decoder_num_attention_heads": 0,)"
                R"( "decoder_num_hidden_layers": 0, "decoder_intermediate_size": 0,)");
  write_text(folder.file("hub/config.json"), config);
  auto const encoder = mae::read_pretrained(folder.file("hub"));
  CHECK_FALSE(encoder.has_decoder);
  check_same_values(encoder, model);
}
