#include "interrupt.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <system_error>

namespace pretrain {
namespace {

// Lock-free, so that the handler may write it and another thread than the handler's may read it.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): a handler has no arguments.
std::atomic<bool> noted = false;
static_assert(std::atomic<bool>::is_always_lock_free);

extern "C" void note_interrupt(int /*signal*/) {
  noted.store(true, std::memory_order_relaxed);
}

void set_action(int signal, struct sigaction const* action, struct sigaction* previous) {
  if (sigaction(signal, action, previous) != 0)
    throw std::system_error(errno, std::generic_category(), "sigaction");
}

/// Catches a signal, unless it is ignored. `flags` are SA_RESETHAND, which gives the second one its
/// default action, or none.
void catch_signal(int signal, unsigned flags) {
  struct sigaction inherited = {};
  set_action(signal, nullptr, &inherited);
  if (inherited.sa_handler == SIG_IGN) return;
  struct sigaction action = {};
  action.sa_handler = note_interrupt;
  action.sa_flags = static_cast<int>(flags | SA_RESTART);  // a write goes on undisturbed
  sigemptyset(&action.sa_mask);
  set_action(signal, &action, nullptr);
}

}  // namespace

void catch_interrupts() {
  noted.store(false, std::memory_order_relaxed);
  catch_signal(SIGINT, SA_RESETHAND);
  catch_signal(SIGTERM, SA_RESETHAND);
  catch_signal(SIGHUP, 0);
}

bool interrupted() noexcept {
  return noted.load(std::memory_order_relaxed);
}

}  // namespace pretrain
