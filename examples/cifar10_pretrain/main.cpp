#include "run.hpp"

int main(int argc, char** argv) {
  return pretrain::run(argc, argv);
}
