#pragma once

#include <mae/core/buffer.hpp>
#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/parameter_file.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/mask/plan.hpp>
#include <mae/network/layout.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace mae_test {

using mae::index_t;

/// What PyTorch computed for one model: a file of make_fixtures.py, which says what its tensors
/// are.
class model_fixture {
 public:
  explicit model_fixture(std::string const& name)
      : model_fixture(file_at{MAE_TESTS_DIR "/reference/fixtures/" + name + ".safetensors"}) {}
  /// A file of another script with tensors of these names.
  static model_fixture at(std::string const& path) { return model_fixture(file_at{path}); }

  /// A number of the metadata.
  double number(std::string const& key) const { return std::stod(file_.metadata().at(key)); }

  mae::model_config config() const {
    return {.image = {size("image_height"), size("image_width"), size("image_channels")},
            .patch = {size("patch_height"), size("patch_width")},
            .encoder = stack("encoder"),
            .decoder = stack("decoder")};
  }

  mae::safetensors_file const& file() const { return file_; }

  std::vector<float> values(std::string const& name) const { return read<float>(name); }
  std::vector<index_t> integers(std::string const& name) const {
    auto const stored = read<mae::patch_index>(name);
    return {stored.begin(), stored.end()};
  }

  /// A flat array of the layout with the tensors `prefix` + their names, read as a checkpoint is:
  /// all of them without a prefix, those that are trained with one.
  template <class T>
  mae::host_buffer<T> block(mae::parameter_layout const& layout,
                            std::string const& prefix = {}) const {
    mae::host_buffer<T> values(layout.size());
    for (auto const& tensor : layout.tensors())
      if (prefix.empty() || tensor.kind == mae::tensor_kind::parameter)
        mae::read_tensor(file_, path_, tensor, values.span(), prefix);
    return values;
  }

  /// The masks that noise (B, N) gives with the file's counts.
  mae::mask_plan plan(std::span<float const> noise) const {
    auto const visible = integers("input.visible_counts");
    auto const target = integers("input.target_counts");
    auto const patches = noise.size() / visible.size();
    mae::mask_plan plan(std::ssize(visible), static_cast<index_t>(patches));
    for (std::size_t i = 0; i < visible.size(); ++i)
      plan.assign(
          static_cast<index_t>(i), {visible[i], target[i]}, noise.subspan(i * patches, patches));
    return plan;
  }

 private:
  struct file_at {
    std::string path;
  };
  explicit model_fixture(file_at const& file)
      : path_(file.path), file_(mae::safetensors_file::load(path_)) {}

  index_t size(std::string const& key) const { return static_cast<index_t>(number(key)); }

  mae::stack_config stack(std::string const& which) const {
    return {size(which + "_depth"), size(which + "_width"), size(which + "_heads")};
  }

  template <class Stored>
  std::vector<Stored> read(std::string const& name) const {
    auto const* const tensor = file_.find(name);
    auto const type = std::is_same_v<Stored, float> ? mae::dtype::f32 : mae::dtype::i32;
    if (tensor == nullptr || tensor->type != type)
      throw std::invalid_argument(path_ + ": no tensor " + name + " of that type");
    std::vector<Stored> stored(tensor->bytes.size() / sizeof(Stored));
    std::memcpy(stored.data(), tensor->bytes.data(), tensor->bytes.size());
    return stored;
  }

  std::string path_;
  mae::safetensors_file file_;
};

struct tolerance {
  double absolute = 0;
  double relative = 0;
};

/// What R2 allows in float. In double only the rounding of the stored results remains.
template <class T>
struct allowed {
  static constexpr bool is_double = std::is_same_v<T, double>;
  static constexpr tolerance rounding{1e-7, 1e-7};
  static constexpr tolerance output = is_double ? rounding : tolerance{1e-5};
  static constexpr tolerance gradient = is_double ? rounding : tolerance{1e-5, 1e-4};
  static constexpr tolerance loss = is_double ? rounding : tolerance{1e-5};
};

/// By how much the worst |actual - expected| exceeds absolute + relative * |expected|: not above
/// zero where all is well; infinite where the sizes differ or a value is not a number.
template <class T>
double excess(std::span<T const> actual, std::span<float const> expected, tolerance within) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (actual.size() != expected.size() || actual.empty()) return infinity;
  double worst = -infinity;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    double const exact = expected[i];
    double const beyond = std::abs(static_cast<double>(actual[i]) - exact) - within.absolute -
                          within.relative * std::abs(exact);
    if (std::isnan(beyond)) return infinity;
    worst = std::max(worst, beyond);
  }
  return worst;
}

}  // namespace mae_test
