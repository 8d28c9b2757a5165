#pragma once

/// Features in int8: quantised_encoder.

#include <mae/model/quantised_encoder.hpp>
