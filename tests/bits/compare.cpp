// compare FILE FILE: names the first tensor that differs in any bit, or that only one file has.

#include <mae/io/safetensors.hpp>

#include <algorithm>
#include <cstring>
#include <iostream>
#include <string>

namespace {

using files = mae::safetensors_file;

bool are_equal(mae::tensor_entry const& left, mae::tensor_entry const& right) {
  return left.type == right.type && left.shape == right.shape &&
         std::memcmp(left.bytes.data(), right.bytes.data(), left.bytes.size()) == 0;
}

/// The first tensor of `left` that `right` has not, or has otherwise; empty where there is none.
std::string first_difference(files const& left, files const& right) {
  for (auto const& tensor : left.tensors()) {
    auto const* const other = right.find(tensor.name);
    if (other == nullptr || !are_equal(tensor, *other)) return tensor.name;
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  auto const left = files::load(argv[1]);
  auto const right = files::load(argv[2]);
  auto difference = first_difference(left, right);
  if (difference.empty()) difference = first_difference(right, left);
  if (difference.empty()) return 0;
  std::cout << argv[2] << ": " << difference << " differs\n";
  return 1;
}
