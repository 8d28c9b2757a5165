#include "teacher.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/interop/open_pretrained.hpp>
#include <mae/interop/pretrained.hpp>
#include <mae/model/frozen_teacher.hpp>

#include <string>
#include <utility>

namespace pretrain {

mae::teacher read_teacher(std::filesystem::path const& path, mae::index_t blocks) {
  auto const found = mae::read_pretrained(path.string(), {.flags_of = "mae_convert's "});
  auto encoder = mae::open_pretrained_encoder(found, mae::eigen_backend<float>(1));
  try {
    return mae::frozen_teacher(std::move(encoder), blocks);
  } catch (mae::config_error const& refused) {
    throw mae::config_error("--teacher " + path.string() + ": " + refused.what());
  }
}

}  // namespace pretrain
