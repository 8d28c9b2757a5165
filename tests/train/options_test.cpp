#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/train/options.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace {

/// What is said of the default options with one change; empty where they are accepted.
template <class Change>
std::string refusal(Change const& change) {
  mae::training_options options;
  change(options);
  try {
    mae::require_valid(options);
  } catch (mae::config_error const& error) {
    return error.what();
  }
  return {};
}

using options_type = mae::training_options;
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("the default options are accepted, and so are the limits of what is") {
  CHECK(refusal([](options_type&) {}).empty());
  CHECK(refusal([](options_type& options) {
          options = {.batch_size = 1,
                     .accumulate = 1,
                     .epochs = 1,
                     .steps = 1,
                     .warmup_epochs = 0,
                     .clip = 0,
                     .augment = {.crop_min = 1}};
        }).empty());
}

TEST_CASE("batches whose product with their number overflows are refused") {
  char const* const sentence =
      "the samples of a step, batch size times accumulated batches and views, must be fewer than "
      "2^31";
  constexpr mae::index_t most = std::numeric_limits<mae::index_t>::max();
  for (auto const& [batch, accumulate] : std::vector<std::pair<mae::index_t, mae::index_t>>{
           {most, 2}, {2, most}, {most, most}, {1 << 16, 1 << 15}, {mae::index_t{1} << 31, 1}})
    CHECK(refusal([batch = batch, accumulate = accumulate](options_type& o) {
            o.batch_size = batch;
            o.accumulate = accumulate;
          }) == sentence);
  CHECK(refusal([](options_type& o) {
          o.batch_size = (1 << 16) - 1;
          o.accumulate = 1 << 15;
        }).empty());
  CHECK(refusal([](options_type& o) {
          o.batch_size = (1 << 16) - 1;
          o.accumulate = 1 << 14;
          o.views = 3;
        }) == sentence);
}

TEST_CASE("options that cannot be used are refused with a sentence that names them") {
  CHECK(refusal([](options_type& o) { o.batch_size = 0; }) == "the batch size must be positive");
  CHECK(refusal([](options_type& o) { o.accumulate = 0; }) ==
        "the number of accumulated batches must be positive");
  CHECK(refusal([](options_type& o) { o.epochs = 0; }) == "the number of epochs must be positive");
  CHECK(refusal([](options_type& o) { o.steps = 0; }) == "the number of steps must be positive");
  for (double const lr : {0.0, -1e-3, not_a_number})
    CHECK(refusal([&](options_type& o) { o.lr = lr; }) == "the learning rate must be positive");
  for (double const warmup : {-0.5, not_a_number})
    CHECK(refusal([&](options_type& o) { o.warmup_epochs = warmup; }) ==
          "the warm-up must not be negative");
  for (double const clip : {-1.0, not_a_number})
    CHECK(refusal([&](options_type& o) { o.clip = clip; }) ==
          "the gradient's largest norm must not be negative");
  for (double const large : {infinity, 1e39}) {
    CHECK(refusal([&](options_type& o) { o.lr = large; }) ==
          "the learning rate must be finite, and a float hold it");
  }
  CHECK(refusal([](options_type& o) { o.warmup_epochs = infinity; }) ==
        "the warm-up must be finite");
  CHECK(refusal([](options_type& o) { o.clip = infinity; }) ==
        "the gradient's largest norm must be finite; 0 leaves gradients as they are");
  CHECK(refusal([](options_type& o) { o.augment.crop_min = 0; }).starts_with("the least share"));
}
