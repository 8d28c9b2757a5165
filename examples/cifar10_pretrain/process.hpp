#pragma once

namespace pretrain {

/// What a program does first. A standard descriptor that is closed is opened on /dev/null, so that
/// no file of the program's takes its number, and in the mode that makes its use an error. SIGPIPE
/// and SIGXFSZ are ignored: a reader that has gone away and a limit on a file's size become errors
/// of `write`, which lose nothing.
void prepare_process() noexcept;

}  // namespace pretrain
