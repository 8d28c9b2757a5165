#include "data_source.hpp"

#include "images.hpp"

#include <system_error>

namespace pretrain {

bool holds_cifar10(std::filesystem::path const& folder) {
  std::error_code ignored;  // a folder that cannot be looked into holds nothing for us
  return std::filesystem::exists(folder / "data_batch_1.bin", ignored) ||
         std::filesystem::exists(folder / "cifar-10-batches-bin" / "data_batch_1.bin", ignored);
}

data_source find_data(std::string const& asked,
                      char const* environment,
                      std::filesystem::path const& usual) {
  if (asked == "synthetic") return {data_kind::synthetic, {}, "synthetic images, as asked"};
  if (!asked.empty()) {
    if (!holds_cifar10(asked) && holds_pictures(asked))
      return {data_kind::pictures, asked, "pictures from " + asked};
    return {data_kind::cifar10, asked, "CIFAR-10 from " + asked};
  }

  std::string const named = environment == nullptr ? "" : environment;
  if (!named.empty() && holds_cifar10(named))
    return {data_kind::cifar10, named, "CIFAR-10 from " + named + " (MAE_CIFAR10_DIR)"};
  if (holds_cifar10(usual)) return {data_kind::cifar10, usual, "CIFAR-10 from " + usual.string()};

  std::string const where = named.empty() ? "MAE_CIFAR10_DIR is not set"
                                          : "no CIFAR-10 in " + named + " (MAE_CIFAR10_DIR)";
  return {data_kind::synthetic,
          {},
          where + " and none in " + usual.string() +
              ": going on with synthetic images, made by the program"};
}

}  // namespace pretrain
