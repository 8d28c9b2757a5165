// What is written for ONNX, as far as it can be seen without ONNX: tests/elsewhere runs it.

#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <mae/core/error.hpp>
#include <mae/interop/onnx.hpp>
#include <mae/interop/onnx_graph.hpp>
#include <mae/interop/pretrained.hpp>
#include <mae/interop/protobuf_message.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace {

std::string const rgb = MAE_TESTS_DIR "/interop/fixtures/rgb";

}  // namespace

TEST_CASE("fields of a protobuf message have the bytes that its documentation shows") {
  using mae::detail::protobuf_message;
  using namespace std::string_view_literals;
  CHECK(protobuf_message().number(1, 150).bytes() == "\x08\x96\x01"sv);
  CHECK(protobuf_message().text(2, "testing").bytes() == "\x12\x07testing"sv);
  auto const inner = protobuf_message().number(1, 150);
  CHECK(protobuf_message().message(3, inner).bytes() == "\x1a\x03\x08\x96\x01"sv);
  CHECK(protobuf_message().number(1, -2).bytes() ==
        "\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv);
  CHECK(protobuf_message().real(2, 1.5F).bytes() == "\x15\x00\x00\xc0\x3f"sv);
  CHECK(protobuf_message().number(20, 1).bytes() == "\xa0\x01\x01"sv);
}

TEST_CASE("an encoder that no file of ONNX can hold is refused with a sentence") {
  constexpr std::uint64_t most = std::numeric_limits<std::int32_t>::max();
  CHECK_NOTHROW(mae::detail::require_protobuf_size("x.onnx", most));
  CHECK_THROWS_WITH_AS(mae::detail::require_protobuf_size("x.onnx", most + 1),
                       doctest::Contains("as ONNX the encoder takes 2147483648 bytes"),
                       mae::config_error);
}

TEST_CASE("what cannot be written for ONNX leaves the file that was there") {
  mae_test::temporary_folder const folder;
  auto const path = folder.file("x.onnx");
  auto model = mae::read_pretrained(rgb);
  mae::save_onnx(path, model);
  auto const written = read_text(path);
  CHECK(written.find("made_by") != std::string::npos);
  CHECK(written.find("decoder_") == std::string::npos);

  auto const& tensor = model.layout.find("blocks.1.mlp.fc1.weight");
  model.values[tensor.offset + 5] = std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH_AS(mae::save_onnx(path, model),
                       doctest::Contains("blocks.1.mlp.fc1.weight is not finite"),
                       mae::numeric_error);
  model.values[tensor.offset + 5] = 0;
  model.sizes.encoder.heads = 0;
  CHECK_THROWS_WITH_AS(
      mae::save_onnx(path, model), doctest::Contains("--heads says it"), mae::config_error);
  CHECK(read_text(path) == written);
}

TEST_CASE("layers of whole numbers make a smaller file, and refuse what is not finite") {
  mae_test::temporary_folder const folder;
  auto const floats = folder.file("floats.onnx");
  auto const int8 = folder.file("int8.onnx");
  auto model = mae::read_pretrained(rgb);
  mae::save_onnx(floats, model);
  mae::save_onnx(int8, model, mae::onnx_products::int8);
  auto const written = read_text(int8);
  CHECK(written.size() < read_text(floats).size());
  CHECK(written.find("MatMulInteger") != std::string::npos);
  CHECK(written.find("blocks.1.mlp.fc1.weight_scale") != std::string::npos);

  auto const& tensor = model.layout.find("blocks.1.mlp.fc1.weight");
  model.values[tensor.offset + 5] = std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH_AS(mae::save_onnx(int8, model, mae::onnx_products::int8),
                       doctest::Contains("blocks.1.mlp.fc1.weight is not finite"),
                       mae::numeric_error);
  CHECK(read_text(int8) == written);
}
