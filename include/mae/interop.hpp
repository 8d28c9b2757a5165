#pragma once

/// Checkpoints of other libraries: read_pretrained, load_pretrained, open_pretrained,
/// save_pretrained.

#include <mae/interop/load_pretrained.hpp>
#include <mae/interop/open_pretrained.hpp>
#include <mae/interop/pretrained.hpp>
#include <mae/interop/resize_images.hpp>
#include <mae/interop/save_pretrained.hpp>
#include <mae/model/configs.hpp>
