#include <mae/series.hpp>

#include <cstdlib>
#include <iostream>

// A period that is longer than the context is refused.
int main() {
  try {
    mae::require_valid(mae::forecast_options{.context = 10, .horizon = 5, .period = 24});
  } catch (mae::config_error const& error) {
    std::cout << error.what() << '\n';
    return EXIT_SUCCESS;
  }
  return EXIT_FAILURE;
}
