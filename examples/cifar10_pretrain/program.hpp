#pragma once

#include "command_line.hpp"

#include <mae/core/text.hpp>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <new>
#include <vector>

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
    std::cerr << name << ": " << mae::printable(error.what()) << '\n';
    return exit_usage;
  } catch (std::bad_alloc const&) {
    std::cerr << name << ": out of memory; " << advice << '\n';
  } catch (std::exception const& error) {
    std::cerr << name << ": " << mae::printable(error.what()) << '\n';
  }
  return exit_error;
}

/// Reads a command line, and prints the help that it asks for, or calls run(what was found on it).
template <class Run>
void run_or_explain(int argc,
                    char const* const* argv,
                    char const* introduction,
                    std::vector<flag_group> const& flags,
                    Run const& run) {
  auto const given = read_command_line(flags, argc, argv);
  if (given.help)
    std::cout << introduction << describe_flags(flags);
  else
    run(given);
}

}  // namespace pretrain
