#include <mae/op/linear.hpp>
