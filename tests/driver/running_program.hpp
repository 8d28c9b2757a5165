#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

/// What a program left behind.
struct program_result {
  int exit_code = -1;  // -1: a signal ended it
  std::string out;
  std::string err;
};

/// A program that runs beside the test, both its outputs being pipes. Its signals have their
/// default actions, whatever the test was started by.
class running_program {
 public:
  /// Throws where the system refuses. `arguments` begin with the program's path.
  explicit running_program(std::vector<std::string> arguments) {
    std::vector<char*> pointers;
    for (auto& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out_.write_end, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err_.write_end, STDERR_FILENO);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t usual;
    sigemptyset(&usual);
    for (int const signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ}) sigaddset(&usual, signal);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    int const failure =
        posix_spawn(&process_, pointers.front(), &actions, &attributes, pointers.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    out_.close_write_end();
    err_.close_write_end();
    if (failure != 0) throw std::runtime_error("cannot start " + arguments.front());
  }
  running_program(running_program const&) = delete;
  running_program& operator=(running_program const&) = delete;
  ~running_program() {
    if (process_ <= 0) return;
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }

  pid_t process() const { return process_; }
  void signal(int number) const { kill(process_, number); }
  void interrupt() const { signal(SIGINT); }
  /// From here on nobody reads what it prints.
  void stop_reading() { out_.close_read_end(); }

  /// Waits for the end. What goes to stderr must fit into a pipe.
  program_result wait() {
    program_result result;
    result.out = out_.read_all();
    result.err = err_.read_all();
    int status = 0;
    while (waitpid(process_, &status, 0) < 0)
      if (errno != EINTR) throw std::runtime_error("waitpid failed");
    process_ = -1;
    if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
    return result;
  }

 private:
  struct pipe_ends {
    int read_end = -1;
    int write_end = -1;

    pipe_ends() {
      std::array<int, 2> ends{};
      if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
      read_end = ends[0];
      write_end = ends[1];
    }
    pipe_ends(pipe_ends const&) = delete;
    pipe_ends& operator=(pipe_ends const&) = delete;
    ~pipe_ends() {
      close_write_end();
      close_read_end();
    }

    void close_read_end() {
      if (read_end >= 0) close(read_end);
      read_end = -1;
    }

    void close_write_end() {
      if (write_end >= 0) close(write_end);
      write_end = -1;
    }
    std::string read_all() const {
      std::string all;
      if (read_end < 0) return all;
      std::array<char, 4096> part{};
      for (;;) {
        auto const count = read(read_end, part.data(), part.size());
        if (count > 0) all.append(part.data(), static_cast<std::size_t>(count));
        if (count == 0) return all;
        if (count < 0 && errno != EINTR) throw std::runtime_error("read failed");
      }
    }
  };

  pipe_ends out_, err_;
  pid_t process_ = -1;
};

/// Runs a program to its end.
inline program_result run_program(std::vector<std::string> arguments) {
  return running_program(std::move(arguments)).wait();
}
