#include "command_line.hpp"

#include <getopt.h>

#include <cstddef>

namespace pretrain {
namespace {

std::vector<flag const*> all_of(std::vector<flag_group> const& groups) {
  std::vector<flag const*> flags;
  for (auto const& group : groups)
    for (auto const& flag : group.flags) flags.push_back(&flag);
  return flags;
}

// Above every character that getopt_long may return.
constexpr int version_flag = 256;
constexpr int first_flag = 257;

/// getopt_long's table: the flags in their order, --help, --version, and the end.
std::vector<::option> table_of(std::vector<flag const*> const& flags) {
  std::vector<::option> table;
  for (auto const* flag : flags)
    table.push_back({flag->name.c_str(),
                     flag->unit.empty() ? no_argument : required_argument,
                     nullptr,
                     first_flag + static_cast<int>(table.size())});
  table.push_back({"help", no_argument, nullptr, 'h'});
  table.push_back({"version", no_argument, nullptr, version_flag});
  table.push_back({});
  return table;
}

void take(flag const& flag, char const* value, given_flags& given) {
  std::string const text = value == nullptr ? "" : value;
  if (!given.values.emplace(flag.name, text).second)
    throw usage_error("--" + flag.name +
                      (flag.unit.empty() ? " is given twice" : " needs exactly one value"));
  if (!flag.unit.empty() && (text.empty() || text.starts_with("--")))
    throw usage_error("--" + flag.name + " needs exactly one value" +
                      (text.empty() ? "" : ", and " + text + " is a flag"));
  try {
    flag.read(text);
  } catch (usage_error const& wrong) {
    throw usage_error("--" + flag.name + ": " + wrong.what());
  }
}

/// What getopt_long could not read: `known` is a flag that takes no value, or the letter behind a
/// single dash, or 0 for any other word.
[[noreturn]] void refuse(std::vector<flag const*> const& flags,
                         std::string const& word,
                         int known) {
  if (known == version_flag) throw usage_error("--version takes no value");
  if (known >= first_flag)
    throw usage_error("--" + flags[static_cast<std::size_t>(known - first_flag)]->name +
                      " takes no value");
  if (known == 'h') throw usage_error("--help takes no value");
  if (known != 0)
    throw usage_error(std::string("-") + static_cast<char>(known) +
                      " is no flag: they begin with two dashes, see --help");
  throw usage_error(word + " is no flag, or short for several; see --help");
}

}  // namespace

given_flags read_command_line(std::vector<flag_group> const& groups,
                              int argc,
                              char const* const* argv) {
  auto const flags = all_of(groups);
  auto const table = table_of(flags);
  std::vector<std::string> words(argv, argv + argc);  // getopt_long wants them writable
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);

  given_flags given;
  ::optind = 0;  // GNU: begin anew
  ::opterr = 0;
  // '+' ends at the first word that is no flag, ':' tells a missing value from an unknown flag.
  for (int found = 0;
       (found = ::getopt_long(argc, pointers.data(), "+:h", table.data(), nullptr)) != -1;) {
    if (found == 'h' || found == version_flag) {
      (found == 'h' ? given.help : given.version) = true;
      return given;
    }
    if (found == ':')
      throw usage_error(words[static_cast<std::size_t>(::optind) - 1] + " needs exactly one value");
    if (found == '?') refuse(flags, pointers[static_cast<std::size_t>(::optind) - 1], ::optopt);
    take(*flags[static_cast<std::size_t>(found - first_flag)], ::optarg, given);
  }
  if (::optind < argc)
    throw usage_error("'" + words[static_cast<std::size_t>(::optind)] +
                      "' stands alone: flags begin with --, see --help");
  return given;
}

std::string describe_flags(std::vector<flag_group> const& groups) {
  constexpr std::size_t column = 28;
  std::string text;
  for (auto const& group : groups) {
    text += "\n" + group.title + ":\n";
    for (auto const& flag : group.flags) {
      std::string line = "  --" + flag.name + (flag.unit.empty() ? "" : " " + flag.unit);
      if (line.size() + 1 > column) {
        text += line + '\n';
        line.clear();
      }
      line.resize(column, ' ');
      text += line;
      for (char const letter : flag.description) {
        text += letter;
        if (letter == '\n') text.append(column, ' ');
      }
      text += '\n';
    }
  }
  return text;
}

}  // namespace pretrain
