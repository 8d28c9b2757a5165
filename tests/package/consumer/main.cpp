#include "consumer.hpp"

#include <cmath>
#include <cstdio>

int main() {
  model const network({.seed = 1, .backend = mae::eigen_backend<float>(1)});
  double const loss = loss_of(network);
  std::printf("%td patches, loss %g\n", model::num_patches, loss);
  return std::isfinite(loss) && loss > 0 ? 0 : 1;
}
