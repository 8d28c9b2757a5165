#pragma once

namespace pretrain {

/// From here on SIGINT, SIGTERM and SIGHUP do not end the program but are noted, unless it was
/// started with the signal ignored (by nohup, or in a script's background). A second SIGINT or
/// SIGTERM ends the program at once, for a user who will not wait; a terminal that closes may send
/// SIGHUP twice.
/// Throws std::system_error where the system refuses.
void catch_interrupts();

/// Whether one was noted. Cheap enough to be asked before every step.
bool interrupted() noexcept;

}  // namespace pretrain
