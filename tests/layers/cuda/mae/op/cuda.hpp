#include <mae/backend/cuda/launch.cuh>
