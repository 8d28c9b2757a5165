#include <mae/core/error.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <concepts>
#include <stdexcept>
#include <string>

namespace {

static_assert(std::derived_from<mae::error, std::runtime_error>);
static_assert(std::derived_from<mae::config_error, mae::error>);
static_assert(std::derived_from<mae::io_error, mae::error>);
static_assert(std::derived_from<mae::format_error, mae::error>);
static_assert(std::derived_from<mae::numeric_error, mae::error>);
static_assert(std::derived_from<mae::device_error, mae::error>);

}  // namespace

TEST_CASE("an io_error names file, operation and the system's reason") {
  mae::io_error const error("a/b.bin", "open", ENOENT);
  CHECK(std::string(error.what()) == "a/b.bin: open: No such file or directory");
  CHECK(error.file() == "a/b.bin");
  CHECK(error.error_number() == ENOENT);
}

TEST_CASE("a format_error names file, offset and reason") {
  mae::format_error const error("a/b.bin", 3073, "label 10");
  CHECK(std::string(error.what()) == "a/b.bin: at byte 3073: label 10");
  CHECK(error.file() == "a/b.bin");
  CHECK(error.offset() == 3073);
}

TEST_CASE("a numeric_error names step and tensor") {
  mae::numeric_error const error(12, "blocks.0.norm1.weight");
  CHECK(std::string(error.what()) == "step 12: blocks.0.norm1.weight is not finite");
  CHECK(error.step() == 12);
  CHECK(error.tensor() == "blocks.0.norm1.weight");
}
