#pragma once

/// Mask policies beside those of mae.hpp: by patterns, from outside, and those that learn.

#include <mae/mask/batch_density.hpp>
#include <mae/mask/block.hpp>
#include <mae/mask/column.hpp>
#include <mae/mask/density_mask.hpp>
#include <mae/mask/fixed.hpp>
#include <mae/mask/gate.hpp>
#include <mae/mask/grid.hpp>
#include <mae/mask/learned.hpp>
#include <mae/mask/levels.hpp>
#include <mae/mask/loss_density.hpp>
#include <mae/mask/measure_levels.hpp>
#include <mae/mask/sampling.hpp>
