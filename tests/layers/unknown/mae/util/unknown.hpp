#include <mae/core/types.hpp>
