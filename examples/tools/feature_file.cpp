#include "feature_file.hpp"

#include "command_line.hpp"

#include <mae/core/error.hpp>
#include <mae/core/text.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/safetensors_writer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace tools {
namespace {

constexpr std::string_view npy = ".npy";

std::string checked(std::string path) {
  if (path.ends_with(npy) || path.ends_with(".safetensors")) return path;
  throw pretrain::usage_error("--out must end in .safetensors or .npy, not " + path);
}

/// The length of a text in a safetensors header; 0 for one that it cannot hold.
std::size_t length_in_header(std::string_view text) {
  constexpr std::size_t escaped = 6;  // "\u000a"
  std::size_t length = 2;
  while (!text.empty()) {
    std::size_t const sequence = mae::utf8_sequence(text);
    if (sequence == 0) return 0;
    length += static_cast<unsigned char>(text.front()) < 0x20 ? escaped : 2 * sequence;
    text.remove_prefix(sequence);
  }
  return length;
}

/// What precedes the values in the format of numpy.save, version 1.0: a header of text, padded to a
/// multiple of 64 bytes.
std::string npy_header(mae::index_t rows, mae::index_t width) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" +
                       std::to_string(rows) + ", " + std::to_string(width) + "), }";
  constexpr std::size_t alignment = 64;
  constexpr std::size_t before = 10;  // magic, version, the header's length
  header.append(alignment - (before + header.size() + 1) % alignment, ' ');
  header += '\n';
  std::string start = "\x93NUMPY";
  start +=
      {'\1', '\0', static_cast<char>(header.size() % 256), static_cast<char>(header.size() / 256)};
  return start + header;
}

}  // namespace

feature_file::feature_file(std::string path)
    : path_(checked(std::move(path))),
      table_path_(path_.ends_with(npy) ? path_.substr(0, path_.size() - npy.size()) + ".csv" : ""),
      file_(path_) {
  if (!table_path_.empty()) table_.emplace(table_path_);
}

std::string feature_file::names() const {
  return path_ + (table_path_.empty() ? "" : " and " + table_path_);
}

void feature_file::check(std::span<feature_row const> rows) const {
  if (table_) return;
  constexpr std::size_t most = 15'000'000;  // of the header's 16 MB
  std::size_t total = 0;
  for (auto const& row : rows) {
    constexpr std::size_t number_and_breaks = 24;
    std::size_t const file = length_in_header(row.file);
    std::size_t const class_name = length_in_header(row.class_name);
    if (file == 0 || class_name == 0)
      throw mae::config_error("the name of " + row.file +
                              " is not UTF-8, as safetensors demands: --out NAME.npy takes it");
    total += file + class_name + number_and_breaks;
  }
  if (total > most)
    throw mae::config_error("the names of " + std::to_string(rows.size()) +
                            " images are too long for the header of a safetensors file: --out "
                            "NAME.npy writes them to a table of its own");
}

void feature_file::save(std::span<float const> values,
                        mae::index_t width,
                        std::span<feature_row const> rows,
                        mae::safetensors_metadata metadata) {
  std::string const table = to_csv(rows);
  if (table_) {
    save_npy(values, width);
    table_->write(std::as_bytes(std::span(table)));
    table_->commit();
  } else {
    metadata["rows"] = table;
    save_safetensors(values, width, rows, metadata);
  }
  file_.commit();
}

void feature_file::save_npy(std::span<float const> values, mae::index_t width) {
  std::string const start = npy_header(std::ssize(values) / width, width);
  file_.write(std::as_bytes(std::span(start)));
  file_.write(std::as_bytes(values));
}

void feature_file::save_safetensors(std::span<float const> values,
                                    mae::index_t width,
                                    std::span<feature_row const> rows,
                                    mae::safetensors_metadata const& metadata) {
  auto const count = static_cast<mae::index_t>(rows.size());
  std::vector<std::int64_t> labels;
  for (auto const& row : rows) labels.push_back(row.label);
  std::vector<mae::tensor_entry> tensors{{.name = "features",
                                          .type = mae::dtype::f32,
                                          .shape = {count, width},
                                          .bytes = std::as_bytes(values)}};
  if (std::ranges::any_of(labels, [](std::int64_t label) { return label >= 0; }))
    tensors.push_back({.name = "labels",
                       .type = mae::dtype::i64,
                       .shape = {count},
                       .bytes = std::as_bytes(std::span(labels))});
  mae::write_safetensors(file_, tensors, metadata);
}

}  // namespace tools
