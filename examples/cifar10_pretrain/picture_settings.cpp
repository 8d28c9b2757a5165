#include "picture_settings.hpp"

#include "assumed.hpp"
#include "flag_values.hpp"

#include <mae/core/error.hpp>
#include <mae/interop/preprocessing.hpp>

#include <ostream>
#include <utility>

namespace pretrain {
namespace {

using two_words = std::pair<char const*, char const*>;

flag word_flag(char const* name,
               two_words const& words,
               std::string const& description,
               std::string& into) {
  return {name,
          std::string(words.first) + "|" + words.second,
          description,
          [words, &into](std::string const& text) {
            if (text != words.first && text != words.second)
              throw usage_error(std::string("must be ") + words.first + " or " + words.second +
                                ", not " + text);
            into = text;
          }};
}

void require_possible(picture_owner const& owner, mae::preprocessing const& how) {
  auto const refuse = [&](std::string const& what, std::string const& advice) {
    throw mae::config_error(owner.path + ": its pictures are " + what +
                            (owner.flags_decide ? "; " + advice : ""));
  };
  std::string const fits = "--fit crop or --fit stretch says otherwise";
  if (how.fit == "border")
    refuse("put within a border (crop_mode border), which is not done here", fits);
  if (how.fit == "cut")
    refuse("cut without resizing (do_resize false), which is not done here", fits);
  if (!how.resample.empty() && how.resample != "bicubic" && how.resample != "bilinear")
    refuse("resampled by the filter " + how.resample + "; here are bicubic and bilinear alone",
           "--resample says otherwise");
}

void say_open(picture_owner const& owner, mae::preprocessing const& how, std::ostream& notes) {
  if (how.fit.empty()) say_assumed(notes, "of pictures the middle is taken; --fit says otherwise");
  if (how.fit == "none")
    say_assumed(notes,
                "of pictures of other sizes the middle is taken, resized, as its files resize "
                "none; --fit says otherwise");
  if (how.keeps_exact && !owner.is_fit_given)
    say_assumed(notes,
                "pictures of " + mae::detail::sides_text(owner.image.height, owner.image.width) +
                    " are taken as they are; of others a border is cut off, as crop_pct says; "
                    "--fit " +
                    how.fit + " cuts it off these, too");
  if (how.resample.empty())
    say_assumed(notes, "pictures are resampled by a bicubic filter; --resample says otherwise");
}

}  // namespace

flag fit_flag(std::string& fit, std::string const& otherwise) {
  return word_flag(
      "fit",
      {"crop", "stretch"},
      with_default("how pictures of other proportions become its images: their middle, or\n"
                   "all of them",
                   otherwise),
      fit);
}

flag resample_flag(std::string& resample, std::string const& otherwise) {
  return word_flag("resample",
                   {"bicubic", "bilinear"},
                   with_default("how pictures are resampled", otherwise),
                   resample);
}

picture_settings settings_for_pictures(picture_owner const& owner,
                                       mae::preprocessing const& how,
                                       std::ostream& notes) {
  require_possible(owner, how);
  say_open(owner, how, notes);
  picture_settings settings;
  settings.fit = {.kind = how.fit == "stretch" ? mae::image_fit::stretch : mae::image_fit::crop,
                  .shortest_edge = how.shortest_edge,
                  .resized_height = how.resized_height,
                  .resized_width = how.resized_width,
                  .keeps_proportions = how.fit == "crop" && how.resized_height > 0,
                  .keeps_exact = how.keeps_exact && !owner.is_fit_given,
                  .middle = how.even_middle ? mae::middle_start::even : mae::middle_start::lower};
  if (how.resample == "bilinear") settings.kind = mae::interpolation::bilinear;
  return settings;
}

}  // namespace pretrain
