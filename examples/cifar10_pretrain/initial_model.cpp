#include "initial_model.hpp"

#include <mae/interop/pretrained.hpp>

namespace pretrain {

std::shared_ptr<mae::pretrained_model const> read_initial_model(std::filesystem::path const& path) {
  if (path.empty()) return nullptr;
  return std::make_shared<mae::pretrained_model const>(mae::read_pretrained(path.string()));
}

}  // namespace pretrain
