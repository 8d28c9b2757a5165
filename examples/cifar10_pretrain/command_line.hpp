#pragma once

#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace pretrain {

/// The command line cannot be understood or contradicts itself; the message is one sentence.
/// The program answers with exit status 2.
class usage_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// One flag: `--name UNIT`, or `--name` alone where the unit is empty.
struct flag {
  std::string name;
  std::string unit;
  std::string description;  // for the help; lines of at most 72 columns
  /// Takes the value, empty where there is no unit; throws usage_error, whose message need not
  /// repeat the name.
  std::function<void(std::string const&)> read;
};

/// Flags that belong together in the help.
struct flag_group {
  std::string title;
  std::vector<flag> flags;
};

/// What was found on a command line.
struct given_flags {
  std::map<std::string, std::string> values;  // by the flags' names; empty for one without a value
  bool help = false;                          // --help or -h; what follows it was not read
  bool version = false;                       // --version; likewise

  bool contains(char const* name) const { return values.contains(name); }
};

/// Reads a command line: every value goes to its flag, at most once. Throws usage_error.
given_flags read_command_line(std::vector<flag_group> const& groups,
                              int argc,
                              char const* const* argv);

/// The flags with their descriptions, group after group, in 100 columns.
std::string describe_flags(std::vector<flag_group> const& groups);

}  // namespace pretrain
