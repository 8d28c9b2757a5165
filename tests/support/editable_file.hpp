#pragma once

#include <mae/io/dtype.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/io/safetensors_writer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// A safetensors file whose parts can be changed before it is saved again, with a right hash.
struct editable_file {
  mae::safetensors_file original;  // owns the tensors' bytes
  mae::safetensors_metadata metadata = original.metadata();
  std::vector<mae::tensor_entry> tensors{original.tensors().begin(), original.tensors().end()};

  explicit editable_file(std::string const& path) : original(mae::safetensors_file::load(path)) {}

  mae::tensor_entry& tensor(std::string_view name) {
    auto const found = std::ranges::find(tensors, name, &mae::tensor_entry::name);
    if (found == tensors.end()) throw std::runtime_error("no tensor " + std::string(name));
    return *found;
  }
  void remove(std::string_view name) {
    std::erase_if(tensors, [&](auto const& tensor) { return tensor.name == name; });
  }

  void save(std::string const& path) const { mae::save_safetensors(path, tensors, metadata); }
};

/// The values of a tensor of floats, in the file's order.
inline std::vector<float> floats_of(mae::tensor_entry const& tensor) {
  if (tensor.type != mae::dtype::f32) throw std::runtime_error(tensor.name + " is not F32");
  std::vector<float> values(tensor.bytes.size() / sizeof(float));
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

/// What an action throws as `Error` says; "nothing was thrown" otherwise. Another error goes on.
template <class Error>
std::string refusal_of(auto const& action) {
  try {
    action();
  } catch (Error const& error) {
    return error.what();
  }
  return "nothing was thrown";
}
