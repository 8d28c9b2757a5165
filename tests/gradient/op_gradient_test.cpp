#include "input_op_checks.hpp"
#include "linear_checks.hpp"
#include "row_op_checks.hpp"
#include "sequence_op_checks.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace {

/// One gradient check, for shapes 0 to 2 and any seed, and the functions whose gradient it proves.
struct op_check {
  std::vector<std::string> covers;
  void (*check)(std::size_t shape, std::uint64_t seed);
};

std::vector<op_check> op_checks() {
  return {
      {{"linear_forward", "linear_backward"}, mae_test::check_linear},
      {{"linear_backward_added"}, mae_test::check_linear_added},
      {{"linear_residual_forward", "linear_backward_weights"}, mae_test::check_linear_residual},
      {{"layer_norm_forward", "layer_norm_backward"}, mae_test::check_layer_norm},
      {{"linear_gelu_forward", "gelu_linear_backward"}, mae_test::check_gelu},
      {{"attention_forward",
        "attention_backward",
        "attend",
        "attend_backward",
        "attend_by_products",
        "attend_by_products_backward"},
       mae_test::check_attention},
      {{"cross_attention_forward", "cross_attention_backward"}, mae_test::check_cross_attention},
      {{"place_queries_forward", "place_queries_backward"}, mae_test::check_place_queries},
      {{"place_tokens_forward", "place_tokens_backward", "place_tokens_slopes"},
       mae_test::check_place_tokens},
      {{"positions_backward"}, mae_test::check_positions},
      {{"levels_backward"}, mae_test::check_levels},
      {{"gather_rows_forward", "gather_rows_backward"}, mae_test::check_gather_rows},
      {{"linear_backward_input", "layer_norm_backward_input", "place_tokens_backward_input"},
       mae_test::check_input_gradients},
      {{"paint_patches_forward", "paint_patches_backward"}, mae_test::check_paint_patches},
      {{"add_times"}, mae_test::check_add_times},
      {{"drop_path_forward", "drop_path_backward"}, mae_test::check_drop_path},
      {{"patch_loss_forward", "patch_loss_backward"}, mae_test::check_patch_loss},
      {{"cross_entropy_forward", "cross_entropy_backward"}, mae_test::check_cross_entropy},
      {{"pool_tokens_forward", "pool_tokens_backward"}, mae_test::check_pool_tokens},
      {{"pool_by_queries_forward", "pool_by_queries_backward"}, mae_test::check_pool_by_queries},
      {{"spread_tokens_forward", "spread_tokens_backward"}, mae_test::check_spread_tokens},
      {{"resample_maps_forward", "resample_maps_backward"}, mae_test::check_resample_maps},
      {{"rectify_forward", "rectify_backward"}, mae_test::check_rectify},
      {{"heat_map_loss_forward", "heat_map_loss_backward"}, mae_test::check_heat_map_loss},
  };
}

/// Functions that take a lane and have nothing to differentiate: a constant, a conversion, a copy,
/// another order in memory, a sum of what was computed; and what weighs gradients.
std::set<std::string> const without_gradient{"set_zero",
                                             "as_operands",
                                             "pack",
                                             "copy_rows",
                                             "add_losses",
                                             "keep_counted_losses",
                                             "weigh_rows"};

/// The names of all function templates in include/mae/op whose first parameter is a lane.
std::set<std::string> functions_of_ops() {
  std::set<std::string> names;
  std::filesystem::path const folder = std::filesystem::path(MAE_TESTS_DIR) / "../include/mae/op";
  std::regex const declaration(R"((\w+)\(\s*L const& lane\b)");
  for (auto const& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".hpp") continue;
    std::ifstream file(entry.path());
    std::string const text{std::istreambuf_iterator<char>(file), {}};
    for (std::sregex_iterator match(text.begin(), text.end(), declaration), end; match != end;
         ++match)
      names.insert(match->str(1));
  }
  return names;
}

}  // namespace

TEST_CASE("R1: the gradients of every op equal central differences") {
  for (auto const& op : op_checks())
    for (std::size_t shape = 0; shape < 3; ++shape)
      for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        CAPTURE(op.covers.back());
        CAPTURE(shape);
        CAPTURE(seed);
        op.check(shape, seed);
      }
}

TEST_CASE("R1: no op is left out") {
  std::set<std::string> checked = without_gradient;
  for (auto const& op : op_checks()) checked.insert(op.covers.begin(), op.covers.end());
  std::set<std::string> const existing = functions_of_ops();

  std::vector<std::string> unchecked;
  std::ranges::set_difference(existing, checked, std::back_inserter(unchecked));
  for (auto const& name : unchecked) FAIL_CHECK(name << " has no gradient check");
  std::vector<std::string> vanished;
  std::ranges::set_difference(checked, existing, std::back_inserter(vanished));
  for (auto const& name : vanished) FAIL_CHECK(name << " is checked but does not exist");
  CHECK(existing.size() > without_gradient.size());
}
