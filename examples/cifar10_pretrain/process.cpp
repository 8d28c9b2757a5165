#include "process.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <initializer_list>

namespace pretrain {

void prepare_process() noexcept {
  // In this order: `open` takes the lowest number that is free.
  for (int const number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): POSIX declares it so.
    if (::fcntl(number, F_GETFD) >= 0 || errno != EBADF) continue;
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): POSIX declares it so.
    ::open("/dev/null", number == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
}

}  // namespace pretrain
