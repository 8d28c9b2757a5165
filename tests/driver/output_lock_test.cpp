#include "editable_file.hpp"
#include "output_folder.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <mae/core/error.hpp>

#include <doctest/doctest.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <sstream>
#include <string>

namespace {

/// What flock fails with, as on a file system without locks; 0: it does what it does.
int flock_error = 0;
int flock_interruptions = 0;

struct failing_flock {
  explicit failing_flock(int error) { flock_error = error; }
  failing_flock(failing_flock const&) = delete;
  failing_flock& operator=(failing_flock const&) = delete;
  ~failing_flock() { flock_error = 0; }
};

}  // namespace

/// In place of the system's, in this program.
extern "C" int flock(int file, int operation) noexcept {
  if (flock_interruptions > 0) {
    --flock_interruptions;
    errno = EINTR;
    return -1;
  }
  if (flock_error != 0) {
    errno = flock_error;
    return -1;
  }
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): POSIX declares it so.
  return static_cast<int>(::syscall(SYS_flock, file, operation));
}

TEST_CASE("a folder belongs to one training at a time, also within a process") {
  mae_test::temporary_folder const folder;
  std::ostringstream notes;
  {
    flock_interruptions = 2;
    pretrain::output_lock const lock(folder.path(), notes);
    CHECK(flock_interruptions == 0);
    std::string const what = refusal_of<mae::config_error>(
        [&] { pretrain::output_lock const second(folder.path(), notes); });
    CHECK(what.find(" is being written by process " + std::to_string(::getpid())) !=
          std::string::npos);
  }
  CHECK_FALSE(std::filesystem::exists(folder / ".lock"));
  pretrain::output_lock const again(folder.path(), notes);
  CHECK(notes.str().empty());
}

TEST_CASE("a file system without locks is a warning, and nothing of another training is removed") {
  for (int const error : {ENOLCK, ENOSYS, EOPNOTSUPP}) {
    mae_test::temporary_folder const folder;
    std::string const partial = folder.file("model.safetensors.12-3.partial");
    write_text(partial, "of a training that may be running");
    failing_flock const failing(error);
    std::ostringstream notes;
    pretrain::output_lock const lock(folder.path(), notes);
    CHECK(notes.str().starts_with("warning: " + folder.path().string() + " cannot be locked ("));
    CHECK(notes.str().ends_with("): see that no second training writes there\n"));
    CHECK(std::filesystem::exists(partial));
  }
}
