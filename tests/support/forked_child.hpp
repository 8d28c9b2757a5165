#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <functional>

namespace mae_test {

/// Calls `is_right` in a child by fork(): whether it returns true there, within a minute. The child
/// ends at once, without the parent's destructors.
inline bool holds_in_child(std::function<bool()> const& is_right) {
  constexpr unsigned seconds = 60;
  pid_t const child = fork();
  if (child == 0) {
    std::signal(SIGALRM, SIG_DFL);
    alarm(seconds);
    bool right = false;
    try {
      right = is_right();
    } catch (std::exception const&) {
      right = false;
    }
    _exit(right ? 0 : 1);
  }
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

}  // namespace mae_test
