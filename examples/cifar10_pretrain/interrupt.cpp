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

void catch_once(int signal) {
  struct sigaction action = {};
  action.sa_handler = note_interrupt;
  // RESETHAND gives the second signal its default action; RESTART lets a write go on undisturbed.
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigemptyset(&action.sa_mask);
  if (sigaction(signal, &action, nullptr) != 0)
    throw std::system_error(errno, std::generic_category(), "sigaction");
}

}  // namespace

void catch_interrupts() {
  noted.store(false, std::memory_order_relaxed);
  catch_once(SIGINT);
  catch_once(SIGTERM);
}

bool interrupted() noexcept {
  return noted.load(std::memory_order_relaxed);
}

}  // namespace pretrain
