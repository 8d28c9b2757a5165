#pragma once

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>

#include <string>

namespace mae {

/// make(images), for a batch of so many. Where the device has too little memory, tries halves of
/// the batch, to say which one fits: throws device_memory_error.
template <class Make>
auto make_for_batch(index_t images, Make const& make) {
  auto const fits = [&](index_t fewer) {
    try {
      make(fewer);
      return true;
    } catch (device_memory_error const&) {
      return false;
    }
  };
  try {
    return make(images);
  } catch (device_memory_error const& problem) {
    std::string what = problem.what();
    index_t fitting = images / 2;
    while (fitting > 0 && !fits(fitting)) fitting /= 2;
    what += fitting == 0 ? "; not even a batch of one image fits: take a smaller model"
                         : "; a batch of " + std::to_string(fitting) +
                               " images fits, and accumulating batches makes up for the rest";
    throw device_memory_error(what);
  }
}

}  // namespace mae
