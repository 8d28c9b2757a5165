#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/interop/file_sizes.hpp>
#include <mae/interop/huggingface_config.hpp>
#include <mae/io/description.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/model/configs.hpp>

#include <doctest/doctest.h>

#include <string>

// What bounds the sizes that a file asks for.

namespace {

bool is_possible(mae::model_config const& sizes) {
  try {
    mae::detail::require_possible("f", sizes);
    return true;
  } catch (mae::format_error const&) {
    return false;
  }
}

mae::model_config with_hidden(int numerator, int denominator) {
  auto sizes = mae::configs::tiny4;
  sizes.encoder.width = 64;
  sizes.encoder.heads = 4;
  sizes.encoder.mlp_ratio = {numerator, denominator};
  return sizes;
}

}  // namespace

TEST_CASE("a hidden layer has at least one value, and at most 2^24") {
  CHECK(is_possible(with_hidden(4, 1)));
  CHECK(is_possible(with_hidden(1, 64)));
  CHECK(!is_possible(with_hidden(1, 65)));
  CHECK(is_possible(with_hidden((1 << 24) / 64, 1)));
  CHECK(!is_possible(with_hidden((1 << 24) / 64 + 1, 1)));
  CHECK(!is_possible(with_hidden(2'147'483'647, 1)));
  CHECK(!is_possible(with_hidden(0, 1)));
  CHECK(!is_possible(with_hidden(-4, 1)));
  CHECK(!is_possible(with_hidden(4, 0)));
  CHECK(!is_possible(with_hidden(-4, -1)));
  auto decoder = mae::configs::tiny4;
  decoder.decoder.mlp_ratio = {2'147'483'647, 1};
  CHECK(!is_possible(decoder));
}

TEST_CASE("a config.json cannot ask for a larger one either") {
  for (std::string const size : {"16777217", "2147483647", "0"}) {
    CAPTURE(size);
    auto const config =
        mae::parse_huggingface_config("config.json", R"({"intermediate_size": )" + size + "}");
    CHECK(!is_possible(config.sizes));
  }
  CHECK_THROWS_AS(
      mae::parse_huggingface_config("config.json", R"({"intermediate_size": 2147483648})"),
      mae::format_error);
}

TEST_CASE("nor can metadata of ours") {
  mae::safetensors_metadata description;
  for (auto const& [name, value] : mae::describe(mae::configs::tiny4)) description[name] = value;
  CHECK(is_possible(mae::detail::size_reader("f", description).sizes(true)));
  description["encoder_mlp_ratio"] = "2147483647/1";
  CHECK(!is_possible(mae::detail::size_reader("f", description).sizes(true)));
  description["encoder_mlp_ratio"] = "4294967300/1";
  CHECK_THROWS_AS(mae::detail::size_reader("f", description).sizes(true), mae::format_error);
}
