#pragma once

#include <mae/core/types.hpp>
#include <mae/objective/teacher_tokens.hpp>

namespace mae {
struct pretrained_model;
}  // namespace mae

namespace pretrain {

/// The encoder of a checkpoint as a teacher. Throws mae::config_error for more blocks than it has,
/// and heads that are not known.
mae::teacher open_teacher(mae::pretrained_model const& found, mae::index_t blocks);

/// Who opens one: the network is compiled elsewhere than what reads files.
using teacher_opener = mae::teacher (*)(mae::pretrained_model const&, mae::index_t);

}  // namespace pretrain
