#pragma once

namespace pretrain {

/// The driver by its command line: what `main` returns. Apart from it for a short compilation.
int run(int argc, char** argv);

}  // namespace pretrain
