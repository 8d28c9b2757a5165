#include "linear.hpp"
