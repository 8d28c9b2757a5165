#pragma once

#include <mae/images/picture_list.hpp>

#include <filesystem>
#include <iosfwd>
#include <string>

namespace pretrain {

enum class data_kind { synthetic, cifar10, pictures };

/// Where the images come from, and a line that says so.
struct data_source {
  data_kind kind = data_kind::synthetic;
  std::filesystem::path folder = {};  // of pictures also the path of a single one
  std::string reason = {};
  mae::picture_list pictures = {};
  std::string assumed = {};  // what the user did not ask for
};

/// Whether `folder`, or the folder that the official archive makes inside it, holds the first batch
/// of CIFAR-10's binary version. The loader checks the rest.
bool holds_cifar10(std::filesystem::path const& folder);

/// What `--data` asks for: a folder of CIFAR-10, or of pictures, or a picture. Without it (`asked`
/// empty) the first folder that holds CIFAR-10 is taken, of `environment` (the value of
/// MAE_CIFAR10_DIR, null where unset) and `usual`, else the synthetic set. Throws mae::io_error for
/// what cannot be looked into, mae::config_error for what holds neither, or as mae::list_pictures.
data_source find_data(std::string const& asked,
                      char const* environment,
                      std::filesystem::path const& usual = "data");

/// Says where the images come from, on `out`, and what was assumed, on `notes`. A null `out` is
/// quiet: then only pictures of which files were left out are said, on `notes`.
void say_source(data_source const& source, std::ostream* out, std::ostream& notes);

}  // namespace pretrain
