#pragma once

#include <filesystem>
#include <string>

namespace pretrain {

enum class data_kind { synthetic, cifar10, pictures };

/// Where the images come from, and a sentence that says why.
struct data_source {
  data_kind kind = data_kind::synthetic;
  std::filesystem::path folder = {};
  std::string reason = {};
};

/// Whether `folder`, or the folder that the official archive makes inside it, holds the first batch
/// of CIFAR-10's binary version. The loader checks the rest.
bool holds_cifar10(std::filesystem::path const& folder);

/// What `--data` asks for: a folder of CIFAR-10 or of pictures. Without it (`asked` empty) the
/// first folder that holds CIFAR-10 is taken, of `environment` (the value of MAE_CIFAR10_DIR, null
/// where unset) and `usual`, else the synthetic set. A folder that was asked for and holds neither
/// is taken for CIFAR-10: the loader says what is missing.
data_source find_data(std::string const& asked,
                      char const* environment,
                      std::filesystem::path const& usual = "data");

}  // namespace pretrain
