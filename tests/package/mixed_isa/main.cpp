#include "multiply.hpp"

#include <cstdio>

// Sizes around the tiles of every instruction set, so that edges are computed too.
int main() {
  for (mae::index_t n : {1, 4, 17, 48, 131}) {
    product_result const portable = multiply_portable(n);
    product_result const native = multiply_native(n);
    if (n == 1) std::printf("%s and %s\n", portable.isa, native.isa);
    if (portable.values != native.values) {
      std::printf("the products of size %td differ\n", n);
      return 1;
    }
  }
  return 0;
}
