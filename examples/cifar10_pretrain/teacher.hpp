#pragma once

#include <mae/core/types.hpp>
#include <mae/objective/teacher_tokens.hpp>

#include <filesystem>

namespace pretrain {

/// The encoder of a checkpoint as a teacher. Throws as mae::read_pretrained, and mae::config_error
/// for more blocks than it has.
mae::teacher read_teacher(std::filesystem::path const& path, mae::index_t blocks);

}  // namespace pretrain
