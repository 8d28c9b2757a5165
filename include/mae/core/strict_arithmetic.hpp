#pragma once

/// The library needs arithmetic as IEEE 754 has it, and refuses to be compiled otherwise:
///
/// - without values that are not finite (-ffast-math, -Ofast, -ffinite-math-only), the tests that
///   stop a training of them are left out by the compiler;
/// - with sums in any order (-fassociative-math, -funsafe-math-optimizations), exponentials are
///   wrong (branchless_exp rounds by adding and subtracting), and the bits depend on the compiler.
///
/// clang says nothing of the second, so that it cannot be refused there: do not ask for it. What
/// else a compiler may be allowed changes low bits alone: -freciprocal-math, -fno-signed-zeros,
/// -fno-trapping-math, -fno-math-errno, -ffp-contract. Of nvcc's --use_fast_math,
/// backend/cuda/strict_arithmetic.cuh says no.
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ > 0)
#error "mae: compile without -ffast-math, -Ofast and -ffinite-math-only: NaN would go unseen"
#endif
#if defined(__ASSOCIATIVE_MATH__)
#error "mae: compile without -fassociative-math: sums in any order are wrong here"
#endif
