#pragma once

#include "command_line.hpp"
#include "process.hpp"
#include "saved_settings.hpp"

#include <mae/core/text.hpp>
#include <mae/core/version.hpp>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <new>
#include <utility>
#include <vector>

namespace pretrain {

/// Calls run(name). Whatever it throws becomes one line on stderr, and an exit status: 2 for a
/// command line that cannot be understood, 1 for any other error. `advice` is what to do about too
/// little memory.
template <class Run>
int status_of(char const* name, char const* advice, Run const& run) {
  constexpr int exit_error = 1;
  constexpr int exit_usage = 2;
  try {
    run(name);
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

/// Runs a program as status_of does. Where its standard output could not be written, that is an
/// error too, once all else is done.
template <class Run>
int run_program(char const* name, char const* advice, Run const& run) {
  prepare_process();
  int const status = status_of(name, advice, run);
  if (std::cout.flush()) return status;
  std::cerr << name
            << ": standard output could not be written: its reader has gone, or it is closed "
            << "or full; what was to be read there is lost\n";
  return status == EXIT_SUCCESS ? EXIT_FAILURE : status;
}

/// Reads a command line, and prints the help or the version that it asks for, or calls run(what was
/// found on it). What --settings found in `repeated` is as if it had been given.
template <class Run>
void run_or_explain(char const* name,
                    int argc,
                    char const* const* argv,
                    char const* introduction,
                    std::vector<flag_group> const& flags,
                    Run const& run,
                    saved_settings const* repeated = nullptr) {
  auto given = read_command_line(flags, argc, argv);
  if (given.help)
    std::cout << introduction << describe_flags(flags);
  else if (given.version)
    std::cout << name << " " MAE_VERSION "\n";
  else {
    if (repeated != nullptr) repeat_flags(flags, *repeated, given);
    run(std::as_const(given));
  }
}

}  // namespace pretrain
