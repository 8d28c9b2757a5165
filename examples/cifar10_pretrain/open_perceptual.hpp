#pragma once

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/network/frozen_blocks.hpp>

#include <memory>

namespace pretrain {

struct task_parts;

/// The encoder that --teacher names, for a perceptual distance on a backend: its first
/// --perceptual-block blocks. Throws mae::config_error, by the flag's name, for more than it has,
/// for heads that are not known and for other images or patches.
std::shared_ptr<mae::frozen_blocks<mae::eigen_backend<float>> const> open_perceptual(
    task_parts const& parts, mae::eigen_backend<float> const& backend);
std::shared_ptr<mae::frozen_blocks<mae::eigen_backend<mae::bfloat16>> const> open_perceptual(
    task_parts const& parts, mae::eigen_backend<mae::bfloat16> const& backend);

}  // namespace pretrain
