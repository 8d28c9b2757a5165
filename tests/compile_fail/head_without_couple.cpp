// expect: couple(head, all, z, step)
#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/network/network_pass.hpp>

#include <string_view>

struct lonely {
  template <class T, class Linear>
  struct weights {};
  template <class L>
  struct pass {
    static pass carve(mae::carver<float>&,
                      lonely const&,
                      mae::shard_capacity const&,
                      mae::pass_kind) {
      return {};
    }
    template <class Operands>
    void embed(mae::head_input<L> const&, Operands const&, mae::matrix_view<float>) const {}
    template <class Operands, class Gradients>
    void backward(mae::head_input<L> const&,
                  Operands const&,
                  mae::matrix_view<float>,
                  Gradients const&) const {}
  };
  static constexpr std::string_view name = "lonely";
  static constexpr bool couples = true;

  template <class Walk, class... Of>
  void walk(Walk&, Of&...) const {}
  mae::index_t label_rows(mae::shard_capacity const&) const { return 0; }
  mae::index_t label_width() const { return 0; }
  mae::product_extents extents(mae::shard_capacity const&) const { return {}; }
};

template class mae::network_pass<mae::eigen_backend<float>, lonely>;
