#include <mae/core/buffer.hpp>
#include <mae/core/error.hpp>
#include <mae/io/safetensors.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <utility>

// libFuzzer's target (requirement R13): any bytes load, or are refused with a format_error. The
// seeds in corpus/safetensors/ are written by make_safetensors_corpus.py.

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

/// What load promises of every file that it lets pass.
void check(mae::safetensors_file const& file, std::size_t bytes) {
  std::size_t data = 0;
  unsigned sum = 0;
  for (mae::tensor_entry const& tensor : file.tensors()) {
    require(!tensor.name.empty());
    require(file.find(tensor.name) == &tensor);
    require(mae::tensor_bytes(tensor.type, tensor.shape) == tensor.bytes.size());
    for (std::byte const value : tensor.bytes) sum += std::to_integer<unsigned>(value);
    data += tensor.bytes.size();
  }
  require(data + 8 < bytes);
  require(sum <= 255 * data);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  mae::host_buffer<std::byte> bytes(static_cast<mae::index_t>(size));
  std::ranges::copy(std::as_bytes(std::span(data, size)), bytes.data());
  try {
    check(mae::safetensors_file::parse("fuzz", std::move(bytes)), size);
  } catch (mae::format_error const& e) {
    require(e.offset() <= size);
  }
  return 0;
}
