#pragma once

/// The heads that mae.hpp does not have.

#include <mae/head/uniformity.hpp>
