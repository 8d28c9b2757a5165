// expect: must_outlive_the_subset
#include <mae/data/subset.hpp>
#include <mae/data/synthetic.hpp>

mae::index_t size_of_part() {
  mae::subset const part(mae::synthetic_dataset(64, 1), 0, 8);
  return part.size();
}
