#pragma once

#include <string>
#include <string_view>

namespace serve {

/// What requests must bring to be answered.
class bearer_token {
 public:
  /// Nothing.
  bearer_token() = default;
  /// Throws usage_error for one of less than 8 or more than 512 characters, or of others than those
  /// that a header may hold.
  explicit bearer_token(std::string secret);

  /// The first line of a file, or, without a path, of the environment variable MAE_SERVE_TOKEN, or
  /// nothing where there is none. Throws as above, and io_error.
  static bearer_token find(std::string const& path);

  bool is_required() const { return !secret_.empty(); }
  /// Whether an Authorization header brings it. Takes the same time for every wrong one of its
  /// length.
  bool is_in(std::string_view authorization) const;

 private:
  std::string secret_;
};

}  // namespace serve
