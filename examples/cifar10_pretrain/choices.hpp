#pragma once

#include <mae/core/types.hpp>
#include <mae/data/resize.hpp>
#include <mae/mask/learned.hpp>
#include <mae/mask/patch_levels.hpp>
#include <mae/network/layout.hpp>
#include <mae/objective/hog.hpp>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace pretrain {

enum class model_choice { tiny4, tiny2, quick4, base16, micro8 };
enum class mask_choice {
  uniform,
  ramped,
  random,
  saliency,
  block,
  grid,
  column,
  file,
  density,
  levels,
  learned,
  sampling,
  gate,
  none
};
/// By what a mask calls an image dense: mae::density_measure, or what a painter's losses say.
enum class density_choice { variance, gradient, entropy, loss };
/// Over what a mask's budget is met.
enum class mask_budget_choice { training, batch };
/// What the loss of a gate's target counts.
enum class target_weights { weighed, equal };
/// Over what a mask's shares move.
enum class mask_period_choice { training, epoch };
/// What a decoder attends to: all that is present, or from hidden patches what is visible.
enum class decoder_choice { self, cross };
/// Whose answers contrast asks for: the model's own, or its moving average's.
enum class key_choice { own, moving };
enum class objective_choice { normalised, pixels, hog, fourier, principal, teacher };
enum class backend_choice { eigen, thrust_cpp, thrust_omp, thrust_tbb, cuda };
enum class precision_choice { fp32, tf32, bf16 };
enum class probe_choice { none, knn, linear, both };
enum class statistics_choice { data, imagenet };
enum class unreadable_choice { stop, skip };
/// What of a folder's pictures is for tests: a part, or every Nth of those to train on; automatic:
/// the first of these that there is.
enum class test_part { automatic, test, validation, every_nth };
struct test_choice {
  test_part part = test_part::automatic;
  mae::index_t every = 10;  // N
};

/// The words of the command line for the values of an enumeration.
template <class Choice, std::size_t count>
using choice_words = std::array<std::pair<std::string_view, Choice>, count>;

inline constexpr choice_words<model_choice, 5> model_words{{{"tiny4", model_choice::tiny4},
                                                            {"tiny2", model_choice::tiny2},
                                                            {"quick4", model_choice::quick4},
                                                            {"base16", model_choice::base16},
                                                            {"micro8", model_choice::micro8}}};
inline constexpr choice_words<mask_choice, 14> mask_words{{{"uniform", mask_choice::uniform},
                                                           {"ramped", mask_choice::ramped},
                                                           {"random", mask_choice::random},
                                                           {"saliency", mask_choice::saliency},
                                                           {"block", mask_choice::block},
                                                           {"grid", mask_choice::grid},
                                                           {"column", mask_choice::column},
                                                           {"file", mask_choice::file},
                                                           {"density", mask_choice::density},
                                                           {"levels", mask_choice::levels},
                                                           {"learned", mask_choice::learned},
                                                           {"sampling", mask_choice::sampling},
                                                           {"gate", mask_choice::gate},
                                                           {"none", mask_choice::none}}};
inline constexpr choice_words<target_weights, 2> target_weight_words{
    {{"weighed", target_weights::weighed}, {"equal", target_weights::equal}}};
inline constexpr choice_words<mask_period_choice, 2> mask_period_words{
    {{"training", mask_period_choice::training}, {"epoch", mask_period_choice::epoch}}};
inline constexpr choice_words<density_choice, 4> density_words{
    {{"variance", density_choice::variance},
     {"gradient", density_choice::gradient},
     {"entropy", density_choice::entropy},
     {"loss", density_choice::loss}}};
inline constexpr choice_words<mae::told_tokens, 3> told_token_words{
    {{"visible", mae::told_tokens::visible},
     {"mask", mae::told_tokens::mask},
     {"both", mae::told_tokens::both}}};
inline constexpr choice_words<mask_budget_choice, 2> mask_budget_words{
    {{"training", mask_budget_choice::training}, {"batch", mask_budget_choice::batch}}};
inline constexpr choice_words<mae::hard_patches, 2> hard_words{
    {{"hidden", mae::hard_patches::hidden}, {"shown", mae::hard_patches::shown}}};
inline constexpr choice_words<decoder_choice, 2> decoder_words{
    {{"self", decoder_choice::self}, {"cross", decoder_choice::cross}}};
inline constexpr choice_words<key_choice, 2> key_words{
    {{"own", key_choice::own}, {"moving", key_choice::moving}}};
inline constexpr choice_words<objective_choice, 6> objective_words{
    {{"normalised", objective_choice::normalised},
     {"pixels", objective_choice::pixels},
     {"hog", objective_choice::hog},
     {"fourier", objective_choice::fourier},
     {"principal", objective_choice::principal},
     {"teacher", objective_choice::teacher}}};
inline constexpr choice_words<objective_choice, 2> shown_objective_words{
    {{"normalised", objective_choice::normalised}, {"pixels", objective_choice::pixels}}};
inline constexpr choice_words<mae::hog_form, 2> hog_form_words{
    {{"maskfeat", mae::hog_form::maskfeat}, {"plain", mae::hog_form::plain}}};
inline constexpr choice_words<backend_choice, 5> backend_words{
    {{"eigen", backend_choice::eigen},
     {"thrust-cpp", backend_choice::thrust_cpp},
     {"thrust-omp", backend_choice::thrust_omp},
     {"thrust-tbb", backend_choice::thrust_tbb},
     {"cuda", backend_choice::cuda}}};
inline constexpr choice_words<precision_choice, 3> precision_words{
    {{"fp32", precision_choice::fp32},
     {"tf32", precision_choice::tf32},
     {"bf16", precision_choice::bf16}}};
inline constexpr choice_words<probe_choice, 4> probe_words{{{"none", probe_choice::none},
                                                            {"knn", probe_choice::knn},
                                                            {"linear", probe_choice::linear},
                                                            {"both", probe_choice::both}}};

inline constexpr choice_words<statistics_choice, 2> statistics_words{
    {{"data", statistics_choice::data}, {"imagenet", statistics_choice::imagenet}}};
inline constexpr choice_words<mae::interpolation, 2> interpolation_words{
    {{"bicubic", mae::interpolation::bicubic}, {"bilinear", mae::interpolation::bilinear}}};
inline constexpr choice_words<mae::linear_start, 2> linear_start_words{
    {{"xavier", mae::linear_start::xavier}, {"pytorch", mae::linear_start::pytorch}}};
inline constexpr choice_words<mae::position_table, 2> position_table_words{
    {{"sincos", mae::position_table::sincos}, {"learned", mae::position_table::learned}}};
inline constexpr choice_words<unreadable_choice, 2> unreadable_words{
    {{"stop", unreadable_choice::stop}, {"skip", unreadable_choice::skip}}};
inline constexpr choice_words<test_part, 3> test_words{
    {{"auto", test_part::automatic}, {"test", test_part::test}, {"val", test_part::validation}}};

/// The word for `choice`; empty for a value that the table lacks.
template <class Choice, std::size_t count>
constexpr std::string_view word_of(choice_words<Choice, count> const& words, Choice choice) {
  for (auto const& [word, value] : words)
    if (value == choice) return word;
  return {};
}

/// All words, for a help or an error: "uniform, ramped, random".
template <class Choice, std::size_t count>
std::string list_of(choice_words<Choice, count> const& words, std::string_view separator) {
  std::string list;
  for (auto const& [word, value] : words) {
    if (!list.empty()) list += separator;
    list += word;
  }
  return list;
}

constexpr std::string_view name(model_choice choice) {
  return word_of(model_words, choice);
}
constexpr std::string_view name(mask_choice choice) {
  return word_of(mask_words, choice);
}
constexpr std::string_view name(mae::told_tokens told) {
  return word_of(told_token_words, told);
}
constexpr std::string_view name(objective_choice choice) {
  return word_of(objective_words, choice);
}
constexpr std::string_view name(backend_choice choice) {
  return word_of(backend_words, choice);
}
constexpr std::string_view name(precision_choice choice) {
  return word_of(precision_words, choice);
}
constexpr std::string_view name(probe_choice choice) {
  return word_of(probe_words, choice);
}

}  // namespace pretrain
