#pragma once

/// The sum of the elements of a product, computed in a translation unit of its own.
float product_sum();
