#include <mae/core/bfloat16.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/carver.hpp>

#include <doctest/doctest.h>

#include <vector>

TEST_CASE("a carver without memory counts what one with memory hands out") {
  auto const cut = [](mae::carver<float>& memory) {
    memory.matrix(3, 7);
    memory.vector(1);
    return memory.matrix(2, 16);
  };
  mae::carver<float> counter;
  CHECK(cut(counter).data == nullptr);
  CHECK(counter.used() == 32 + 16 + 32);  // each part in whole cache lines of 16 floats

  std::vector<float> values(80);
  mae::carver<float> memory(values.data());
  auto const last = cut(memory);
  CHECK(memory.used() == counter.used());
  CHECK(last.data == values.data() + 48);
  CHECK(last.rows == 2);
  CHECK(last.cols == 16);
  CHECK(last.stride == 16);
}

TEST_CASE("rows of operands do not lie a multiple of 4096 bytes apart") {
  mae::carver<float> counter;
  std::vector<float> values(8192);
  mae::carver<float> memory(values.data());
  counter.matrix_of<float>(3, 1024);
  auto const wide = memory.matrix_of<float>(3, 1024);
  CHECK(wide.cols == 1024);
  CHECK(wide.stride == 1024 + 16);
  CHECK(memory.used() == 3 * (1024 + 16));
  CHECK(memory.matrix_of<mae::bfloat16>(3, 1024).stride == 1024);
  CHECK(memory.matrix_of<mae::bfloat16>(1, 2048).stride == 2048 + 32);
  CHECK(memory.used() == 3 * (1024 + 16) + 3 * 512 + 1024 + 16);
  CHECK(counter.used() == 3 * (1024 + 16));
}

TEST_CASE("an empty part takes no memory") {
  std::vector<float> values(16);
  mae::carver<float> memory(values.data());
  CHECK(memory.matrix(0, 7).rows == 0);
  CHECK(memory.used() == 0);
  CHECK(memory.vector(3).data() == values.data());
}
