#pragma once

#include <filesystem>
#include <memory>

namespace mae {
struct pretrained_model;
}

namespace pretrain {

/// Reads the checkpoint that a training begins with; nothing for an empty path. Throws as
/// mae::read_pretrained.
std::shared_ptr<mae::pretrained_model const> read_initial_model(std::filesystem::path const& path);

}  // namespace pretrain
