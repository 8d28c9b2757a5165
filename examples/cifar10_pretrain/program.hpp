#pragma once

#include "command_line.hpp"

#include <cstdlib>
#include <exception>
#include <iostream>
#include <new>

namespace pretrain {

/// Runs a program. Whatever it throws becomes one line on stderr, and an exit status: 2 for a
/// command line that cannot be understood, 1 for any other error. `advice` is what to do about too
/// little memory.
template <class Run>
int run_program(char const* name, char const* advice, Run const& run) {
  constexpr int exit_error = 1;
  constexpr int exit_usage = 2;
  try {
    run();
    return EXIT_SUCCESS;
  } catch (usage_error const& error) {
    std::cerr << name << ": " << error.what() << '\n';
    return exit_usage;
  } catch (std::bad_alloc const&) {
    std::cerr << name << ": out of memory; " << advice << '\n';
  } catch (std::exception const& error) {
    std::cerr << name << ": " << error.what() << '\n';
  }
  return exit_error;
}

}  // namespace pretrain
