#pragma once

/// The library's version, here and nowhere else: CMake reads this line.
#define MAE_VERSION "0.1.0"
