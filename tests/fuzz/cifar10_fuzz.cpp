// libFuzzer on the reader of CIFAR-10 records:
// clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -Iinclude cifar10_fuzz.cpp

#include <mae/core/error.hpp>
#include <mae/data/cifar10.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

/// The first byte says how many records to expect, the rest is the file.
extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (size == 0) return 0;
  std::uint64_t const expected = data[0];
  auto const file = std::as_bytes(std::span(data, size)).subspan(1);
  mae::cifar10_records records;
  try {
    mae::append_cifar10_batch(file, "fuzz", records, expected);
  } catch (mae::format_error const& error) {
    require(error.offset() <= file.size());
    require(records.labels.empty() && records.pixels.empty());
    return 0;
  }
  require(records.labels.size() == expected);
  require(records.pixels.size() == expected * (mae::cifar10_layout::record_bytes - 1));
  for (std::int32_t const label : records.labels) require(label >= 0 && label < 10);
  return 0;
}
