#include "interrupt.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <initializer_list>

namespace {

using pretrain::catch_interrupts;
using pretrain::interrupted;

/// Runs `body` in a process of its own and returns how that ended, as waitpid tells it.
template <class Body>
int status_of(Body body) {
  pid_t const child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    for (int const signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, SIG_DFL);
    body();
    _exit(7);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return status;
}

TEST_CASE("the first signal is noted and the program goes on") {
  for (int const signal : {SIGINT, SIGTERM, SIGHUP}) {
    int const status = status_of([signal] {
      catch_interrupts();
      if (interrupted()) _exit(1);
      raise(signal);
      _exit(interrupted() ? 0 : 2);
    });
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
  }
}

TEST_CASE("what was ignored before stays ignored") {
  for (int const signal : {SIGINT, SIGTERM, SIGHUP}) {
    int const status = status_of([signal] {
      std::signal(signal, SIG_IGN);
      catch_interrupts();
      raise(signal);
      raise(signal);
      _exit(interrupted() ? 1 : 0);
    });
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
  }
}

TEST_CASE("a terminal that closes sends SIGHUP twice, and the program goes on") {
  int const status = status_of([] {
    catch_interrupts();
    raise(SIGHUP);
    raise(SIGHUP);
    _exit(interrupted() ? 0 : 2);
  });
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("a second SIGINT ends the program at once") {
  int const status = status_of([] {
    catch_interrupts();
    raise(SIGINT);
    raise(SIGINT);
  });
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGINT);
}

}  // namespace
