#include <mae/mae.hpp>
