// expect: pass.backward(in, operands, tokens_grad, weights_grad)
#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/network/network_pass.hpp>

#include <span>
#include <string_view>

struct nothing {
  template <class T, class Linear>
  struct weights {};
  template <class L>
  struct pass {
    static pass carve(mae::carver<float>&,
                      nothing const&,
                      mae::shard_capacity const&,
                      mae::pass_kind) {
      return {};
    }
    template <class Operands>
    void forward(mae::head_input<L> const&, Operands const&, std::span<float>) const {}
  };
  static constexpr std::string_view name = "nothing";

  template <class Walk, class... Of>
  void walk(Walk&, Of&...) const {}
  mae::index_t label_rows(mae::shard_capacity const&) const { return 0; }
  mae::index_t label_width() const { return 0; }
  mae::index_t num_counted(mae::matrix_view<float const>) const { return 0; }
  double loss_of_zero(mae::matrix_view<float const>) const { return 0; }
  mae::product_extents extents(mae::shard_capacity const&) const { return {}; }
};

template class mae::network_pass<mae::eigen_backend<float>, nothing>;
