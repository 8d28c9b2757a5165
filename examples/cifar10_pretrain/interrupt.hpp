#pragma once

namespace pretrain {

/// From here on SIGINT and SIGTERM do not end the program but are noted. Each is noted once: a
/// second one of the same kind ends the program at once, for a user who will not wait.
/// Throws std::system_error where the system refuses.
void catch_interrupts();

/// Whether one was noted. Cheap enough to be asked before every step.
bool interrupted() noexcept;

}  // namespace pretrain
