#pragma once

#include "choices.hpp"

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/objective/teacher_tokens.hpp>

namespace mae {
struct pretrained_model;
}  // namespace mae

namespace pretrain {

/// The encoder of a checkpoint as a teacher. Throws mae::config_error for more blocks than it has,
/// and heads that are not known.
mae::teacher open_teacher(mae::pretrained_model const& found, mae::index_t blocks);

/// A teacher that is the moving average of its student, a model of these sizes: products are of the
/// training's precision. Throws mae::config_error for more blocks than it has.
mae::teacher follow_student(mae::model_config const& config,
                            mae::index_t blocks,
                            precision_choice precision);

/// Who makes them: the network is compiled elsewhere than what reads files.
struct teacher_makers {
  mae::teacher (*open)(mae::pretrained_model const&, mae::index_t) = open_teacher;
  mae::teacher (*follow)(mae::model_config const&, mae::index_t, precision_choice) = follow_student;
};

}  // namespace pretrain
