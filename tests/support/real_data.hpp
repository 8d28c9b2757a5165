#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>

namespace mae_test {

/// The folder of the real CIFAR-10: MAE_CIFAR10_DIR where that is set, else the repository's
/// data/cifar-10-batches-bin where it exists. Without either, says that `test` is skipped.
inline std::optional<std::filesystem::path> cifar10_folder(char const* test) {
  if (char const* const folder = std::getenv("MAE_CIFAR10_DIR"))  // NOLINT(concurrency-mt-unsafe)
    return folder;
  auto const repository = std::filesystem::path(__FILE__).parent_path() / ".." / "..";
  auto const folder = repository / "data" / "cifar-10-batches-bin";
  if (std::filesystem::is_directory(folder)) return folder;
  std::printf("skipped: %s: set MAE_CIFAR10_DIR to the folder of CIFAR-10\n", test);
  return std::nullopt;
}

}  // namespace mae_test
