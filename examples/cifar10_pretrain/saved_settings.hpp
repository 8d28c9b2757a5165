#pragma once

#include "command_line.hpp"

#include <mae/core/settings.hpp>
#include <mae/io/json_writer.hpp>

#include <iosfwd>
#include <string>
#include <vector>

// A run's flags, in its summary.json, from which --settings repeats it.

namespace pretrain {

/// What a summary says of the command line.
struct saved_settings {
  std::string file;     // empty without --settings
  std::string program;  // whose flags they are
  std::string version;  // of the library; flags that are not given have its defaults
  mae::settings_list flags = {};
};

/// The flag --settings, which reads the member "run" of a summary.json. Throws usage_error for a
/// file that has none, or one of another program.
flag settings_flag(char const* program, saved_settings& saved);

/// Gives every flag of `saved` that the command line has not, in the order of the file. Throws
/// usage_error, which names the file, for one that is no flag.
void repeat_flags(std::vector<flag_group> const& groups,
                  saved_settings const& saved,
                  given_flags& given);

/// Flags that a repeated run was not given have this version's defaults: `notes` are told where it
/// was another.
void say_version(saved_settings const& saved, std::ostream& notes);

/// The flags that decide a run's result: all that were given but those about one run alone (where
/// it writes, whether it resumes, what it shows).
mae::settings_list deciding_flags(given_flags const& given);

/// The member "run" of a summary: the program, its version, the flags.
mae::json_object settings_json(std::string const& program, mae::settings_list const& flags);

}  // namespace pretrain
