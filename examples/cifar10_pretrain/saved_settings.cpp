#include "saved_settings.hpp"

#include "assumed.hpp"

#include <mae/core/error.hpp>
#include <mae/core/text.hpp>
#include <mae/core/version.hpp>
#include <mae/io/json_reader.hpp>
#include <mae/io/json_writer.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <ostream>
#include <string_view>
#include <utility>

namespace pretrain {
namespace {

constexpr std::array<std::string_view, 6> of_one_run{
    "out", "resume", "settings", "dry-run", "preview", "quiet"};

void read_run(mae::json_reader& reader, saved_settings& saved) {
  reader.object([&](std::string const& key, std::uint64_t /*at*/) {
    if (key == "program")
      saved.program = reader.string();
    else if (key == "version")
      saved.version = reader.string();
    else if (key == "flags")
      reader.object([&](std::string const& name, std::uint64_t /*flag_at*/) {
        saved.flags.push_back({name, reader.string()});
      });
    else
      reader.skip();
  });
}

/// Throws usage_error.
saved_settings read_settings(std::string const& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw usage_error(path + " cannot be read: name the summary.json of a run");
  std::string const text{std::istreambuf_iterator<char>(stream), {}};
  saved_settings saved{.file = path, .program = {}, .version = {}};
  try {
    mae::json_reader reader(path, text, 0);
    reader.object([&](std::string const& key, std::uint64_t /*at*/) {
      if (key == "run")
        read_run(reader, saved);
      else
        reader.skip();
    });
    reader.finish_text();
  } catch (mae::format_error const& wrong) {
    throw usage_error(wrong.what());
  }
  if (saved.program.empty())
    throw usage_error(path + " says no flags to repeat: an older program's summary has none");
  return saved;
}

}  // namespace

flag settings_flag(char const* program, saved_settings& saved) {
  return {"settings",
          "FILE",
          "repeat the run of this summary.json; flags beside it say otherwise",
          [program, &saved](std::string const& path) {
            saved = read_settings(path);
            if (saved.program != program)
              throw usage_error(path + " is of a run of " + mae::in_quotes(saved.program) +
                                ", whose flags are others");
          }};
}

void repeat_flags(std::vector<flag_group> const& groups,
                  saved_settings const& saved,
                  given_flags& given) {
  for (auto const& [name, value] : saved.flags) {
    if (given.contains(name.c_str())) continue;
    flag const* found = nullptr;
    for (auto const& group : groups)
      for (auto const& flag : group.flags)
        if (flag.name == name) found = &flag;
    if (found == nullptr)
      throw usage_error(saved.file + ": " + mae::in_quotes("--" + name) +
                        " is no flag of this program's version");
    try {
      found->read(value);
    } catch (usage_error const& wrong) {
      throw usage_error(saved.file + ": --" + name + ": " + wrong.what());
    }
    given.values[name] = value;
  }
}

void say_version(saved_settings const& saved, std::ostream& notes) {
  if (!saved.file.empty() && saved.version != MAE_VERSION)
    say_assumed(notes,
                "what " + saved.file +
                    " does not say is as usual in version " MAE_VERSION ", not in its " +
                    saved.version + "; flags say otherwise");
}

mae::settings_list deciding_flags(given_flags const& given) {
  mae::settings_list flags;
  for (auto const& [name, value] : given.values)
    if (std::ranges::find(of_one_run, name) == of_one_run.end()) flags.push_back({name, value});
  return flags;
}

mae::json_object settings_json(std::string const& program, mae::settings_list const& flags) {
  mae::json_object all;
  for (auto const& [name, value] : flags) all.add(name, value);
  return mae::json_object().add("program", program).add("version", MAE_VERSION).add("flags", all);
}

}  // namespace pretrain
