#include <mae/eval/features.hpp>
