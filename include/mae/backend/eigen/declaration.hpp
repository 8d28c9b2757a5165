#pragma once

#include <mae/core/isa.hpp>

namespace mae {
inline namespace MAE_ISA {

struct tile_products;

/// The backend that models take unless they name another: see eigen_backend.hpp, which whoever
/// leaves the choice to the default includes (mae.hpp does).
template <class Operand, class Products = tile_products>
class eigen_backend;

}  // namespace MAE_ISA
}  // namespace mae
