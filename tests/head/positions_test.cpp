#include "network_of_heads.hpp"

#include <mae/head/classifier.hpp>
#include <mae/head/painter.hpp>
#include <mae/network/layout.hpp>

#include <doctest/doctest.h>

namespace {

using network = mae_test::network_of<mae::painter, mae::classifier>;

network a_network(mae::position_table positions) {
  return network(positions,
                 mae_test::a_painter(),
                 {.encoder_width = mae_test::odd_config.encoder.width, .classes = 4});
}

}  // namespace

TEST_CASE("R1: the gradient of positions that learn, the encoder's and the decoder's") {
  auto net = a_network(mae::position_table::learned);
  for (char const* const name : {"pos_embed", "decoder_pos_embed"}) {
    auto const& tensor = net.layout.find(name);
    CHECK(tensor.kind == mae::tensor_kind::parameter);
    CHECK_FALSE(tensor.decays);
  }
  CHECK(net.layout.find("pos_embed").depth == 0);
  mae_test::check_gradients(net);
}

TEST_CASE("all other gradients are the same bits, whether positions learn or not") {
  auto fixed = a_network(mae::position_table::sincos);
  auto learned = a_network(mae::position_table::learned);
  auto of_fixed = fixed.gradient();
  auto of_learned = learned.gradient();
  for (auto const& tensor : fixed.layout.tensors()) {
    CAPTURE(tensor.name);
    auto const a = fixed.of(tensor, of_fixed);
    auto const b = fixed.of(tensor, of_learned);
    bool const is_table = tensor.kind == mae::tensor_kind::buffer;
    for (std::size_t i = 0; i < a.size(); ++i) REQUIRE((is_table ? a[i] == 0 : a[i] == b[i]));
  }
}
