#include "data_source.hpp"

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
  if (asked == "synthetic") return {std::nullopt, "synthetic images, as asked"};
  if (!asked.empty()) return {asked, "CIFAR-10 from " + asked};

  std::string const named = environment == nullptr ? "" : environment;
  if (!named.empty() && holds_cifar10(named))
    return {named, "CIFAR-10 from " + named + " (MAE_CIFAR10_DIR)"};
  if (holds_cifar10(usual)) return {usual, "CIFAR-10 from " + usual.string()};

  std::string const where = named.empty() ? "MAE_CIFAR10_DIR is not set"
                                          : "no CIFAR-10 in " + named + " (MAE_CIFAR10_DIR)";
  return {std::nullopt,
          where + " and none in " + usual.string() +
              ": going on with synthetic images, made by the program"};
}

}  // namespace pretrain
