#include <mae/images.hpp>
#include <mae/interop.hpp>

#include <cstdlib>
#include <iostream>

// A file that is no picture is refused, and the presets are there.
int main() {
  try {
    mae::decode_image("CMakeCache.txt");
  } catch (mae::format_error const& error) {
    std::cout << error.what() << '\n';
    return mae::configs::vit_base_patch16.num_patches() == 196 ? EXIT_SUCCESS : EXIT_FAILURE;
  }
  return EXIT_FAILURE;
}
