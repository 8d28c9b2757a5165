#pragma once

#include <mae/core/text.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <system_error>

namespace mae {

/// What every exception of the library derives from. A wrong composition does not compile, a bug is
/// an `assert`; what the environment or the input does wrong is thrown as one of the types below.
/// The message is one printable line, whatever names and texts of others stand in it.
class error : public std::runtime_error {
 public:
  explicit error(std::string const& message) : std::runtime_error(printable(message)) {}
  explicit error(char const* message) : std::runtime_error(printable(message)) {}
};

/// A setting that cannot be used: a ratio outside (0, 1), a batch larger than the dataset.
class config_error : public error {
 public:
  using error::error;
};

/// The system refused an operation on a file; the message holds file, operation and errno's text.
class io_error : public error {
 public:
  io_error(std::string const& file, std::string const& operation, int error_number)
      : error(file + ": " + operation + ": " + std::generic_category().message(error_number)),
        file_(file),
        error_number_(error_number) {}

  std::string const& file() const noexcept { return file_; }
  int error_number() const noexcept { return error_number_; }

 private:
  std::string file_;
  int error_number_;
};

/// A file does not hold what it should; the message holds file, byte offset and reason.
class format_error : public error {
 public:
  format_error(std::string const& file, std::uint64_t offset, std::string const& what)
      : error(file + ": at byte " + std::to_string(offset) + ": " + what),
        file_(file),
        offset_(offset) {}

  std::string const& file() const noexcept { return file_; }
  std::uint64_t offset() const noexcept { return offset_; }

 private:
  std::string file_;
  std::uint64_t offset_;
};

/// A value that must be finite is not; names the tensor, and the optimizer step, or the file that
/// was not written for it, where there is one.
class numeric_error : public error {
 public:
  using error::error;
  numeric_error(std::int64_t step, std::string const& tensor)
      : error("step " + std::to_string(step) + ": " + tensor + " is not finite"),
        step_(step),
        tensor_(tensor) {}
  numeric_error(std::string const& file, std::string const& tensor)
      : error(file + ": not saved: " + tensor + " is not finite"), tensor_(tensor) {}

  /// -1 where it was of no step.
  std::int64_t step() const noexcept { return step_; }
  std::string const& tensor() const noexcept { return tensor_; }

 private:
  std::int64_t step_ = -1;
  std::string tensor_;
};

/// A compute device is missing or refused an operation.
class device_error : public error {
 public:
  using error::error;
};

/// A compute device has less memory left than was asked for.
class device_memory_error : public device_error {
 public:
  using device_error::device_error;
};

}  // namespace mae
