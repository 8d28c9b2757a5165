// expect: mae: compile without -fassociative-math
// flags: -fassociative-math -fno-signed-zeros -fno-trapping-math
#include <mae/core/types.hpp>

static_assert(mae::ceil_div(3, 2) == 2);
