#pragma once

#include "feature_rows.hpp"

#include <mae/core/types.hpp>
#include <mae/io/file.hpp>
#include <mae/io/safetensors_header.hpp>

#include <optional>
#include <span>
#include <string>

namespace tools {

/// The file that features go to, and the table of its rows. It is opened before the work begins;
/// until it is saved, a file that was there stays as it was, and nothing new is left behind.
class feature_file {
 public:
  /// Throws pretrain::usage_error for an ending that is neither .npy nor .safetensors, io_error for
  /// a file that cannot be written.
  explicit feature_file(std::string path);

  /// Throws config_error for rows whose names the format cannot hold.
  void check(std::span<feature_row const> rows) const;

  /// Writes `values` (rows, width). *.npy: beside it, *.csv has the table; *.safetensors: the table
  /// is the metadata entry `rows`, and the rows' labels are a tensor where any has one.
  void save(std::span<float const> values,
            mae::index_t width,
            std::span<feature_row const> rows,
            mae::safetensors_metadata metadata);

  /// The names of what is written: "x.npy and x.csv".
  std::string names() const;

 private:
  void save_npy(std::span<float const> values, mae::index_t width);
  void save_safetensors(std::span<float const> values,
                        mae::index_t width,
                        std::span<feature_row const> rows,
                        mae::safetensors_metadata const& metadata);

  std::string path_;
  std::string table_path_;  // empty for safetensors
  mae::atomic_file file_;
  std::optional<mae::atomic_file> table_;
};

}  // namespace tools
