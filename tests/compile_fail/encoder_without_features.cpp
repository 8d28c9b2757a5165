// expect: encoder.features(images, pool)
#include <mae/mae.hpp>

#include <span>

struct blind {
  using scalar = float;
  using backend_type = mae::eigen_backend<float>;
};

void compare(blind const& encoder) {
  []<mae::Encoder E>(E const&) {}(encoder);
}
