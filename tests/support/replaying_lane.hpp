#pragma once

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

namespace mae_test {

/// What a device does with recorded work, on every machine: the first body of a key is kept, and
/// run again whenever the key comes, with the pointers and numbers that it captured. Arrays of the
/// host are copied, as a device copies them, so that addresses stay. What a key does not tell
/// apart, and what changes though its key does not, shows as other bits. `forget` of a key's
/// numbers are dropped: a planted fault.
template <class Operand, int forget = 0>
class replaying_lane : public mae::eigen_lane<Operand> {
  using recordings = std::map<std::vector<mae::index_t>, std::function<void()>>;

 public:
  template <class Body>
  void replay(std::span<mae::index_t const> key, Body const& body) const {
    auto const told = key.subspan(forget);
    recorded_->try_emplace({told.begin(), told.end()}, body).first->second();
  }
  template <class Body>
  void for_parts(mae::index_t count, Body const& body) const {
    for (mae::index_t part = 0; part < count; ++part) body(*this, part, 0);
  }

 private:
  std::shared_ptr<recordings> recorded_ = std::make_shared<recordings>();
};

template <class Operand, int forget = 0>
class replaying_backend : public mae::eigen_backend<Operand> {
 public:
  using lane = replaying_lane<Operand, forget>;

  static constexpr bool uses_host_memory = false;

  using mae::eigen_backend<Operand>::eigen_backend;
  lane make_lane() const { return {}; }
  lane make_team_lane() const { return {}; }
};
static_assert(mae::Backend<replaying_backend<float>>);

}  // namespace mae_test
