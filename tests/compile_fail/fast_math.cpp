// expect: mae: compile without -ffast-math, -Ofast and -ffinite-math-only
// flags: -ffast-math
#include <mae/core/types.hpp>

static_assert(mae::ceil_div(3, 2) == 2);
