#pragma once

#include "choices.hpp"

#include <mae/images/picture_list.hpp>

#include <optional>
#include <string>
#include <vector>

namespace pretrain {

/// The pictures to train on and to test with, which have the same classes, or none.
struct picture_sets {
  mae::picture_list train;
  mae::picture_list test;
  std::string train_name;  // "pets/train"
  std::string test_name;   // "one picture in 10 of pets"
  std::vector<std::string> assumed = {};
  std::vector<std::string> notes = {};
};

/// The part that tests are on, by the user's choice; none where every Nth picture is for them.
/// Without a choice, `graded` passes over a part without classes where that to train on has some.
/// Adds what it assumes to `assumed`. Throws mae::config_error for a chosen part that is not there.
std::optional<mae::picture_part> choose_test_part(mae::picture_list const& list,
                                                  test_choice tests,
                                                  bool graded,
                                                  std::vector<std::string>& assumed);

/// Splits a set. Throws mae::config_error without a part to train on, for fewer than two pictures,
/// and for a class to test with that there is none of to train on.
picture_sets split_pictures(mae::picture_list const& list, test_choice tests, bool graded);

}  // namespace pretrain
