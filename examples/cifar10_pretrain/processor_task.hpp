#pragma once

#include "backend_task.hpp"

#include <mae/backend/tile/operand.hpp>
#include <mae/core/build_info.hpp>

#include <memory>

namespace pretrain {

/// A task on a backend of the processor, whose products are the library's own.
template <class Backend, bool compares = true, class Decoding = self_decoding>
std::unique_ptr<training_task> make_processor_task(task_parts const& parts) {
  using operand = typename Backend::lane::operand;
  Backend const backend(parts.threads);
  return std::make_unique<backend_task<Backend, compares, Decoding>>(
      parts,
      backend,
      compute_description{.backend = Backend::name(),
                          .precision = backend.precision(),
                          .device = mae::isa_name,
                          .is_emulated = !mae::has_product_instruction<operand>,
                          .uses_processor = true});
}

}  // namespace pretrain
