#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace pretrain {

/// Where the images come from, and a sentence that says why.
struct data_source {
  std::optional<std::filesystem::path> cifar10;  // absent: the synthetic set
  std::string reason;
};

/// Whether `folder`, or the folder that the official archive makes inside it, holds the first batch
/// of CIFAR-10's binary version. The loader checks the rest.
bool holds_cifar10(std::filesystem::path const& folder);

/// What `--data` asks for. Without it (`asked` empty) the first folder that holds CIFAR-10 is
/// taken, of `environment` (the value of MAE_CIFAR10_DIR, null where unset) and `usual`, else the
/// synthetic set. A folder that was asked for is taken as it is: the loader says what is wrong with
/// it.
data_source find_data(std::string const& asked,
                      char const* environment,
                      std::filesystem::path const& usual = "data");

}  // namespace pretrain
