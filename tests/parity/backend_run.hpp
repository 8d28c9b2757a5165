#pragma once

#include <map>
#include <string>
#include <vector>

namespace mae_test {

/// What a backend computed: for each op and for a small training, all values in order. A plain
/// type, so that units of different compilers hand it over.
struct backend_run {
  std::map<std::string, std::vector<float>> values;
  std::vector<float> parameters;  // after ten steps
  bool files_agree = false;       // a training saved and resumed is the same
};

}  // namespace mae_test
