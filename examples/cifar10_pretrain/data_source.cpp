#include "data_source.hpp"

#include "assumed.hpp"

#include <mae/core/error.hpp>
#include <mae/core/text.hpp>
#include <mae/images/found_pictures.hpp>
#include <mae/images/list_pictures.hpp>

#include <cerrno>
#include <cstddef>
#include <ostream>
#include <system_error>
#include <utility>

namespace pretrain {
namespace {

namespace fs = std::filesystem;

bool is_there(fs::path const& path) {
  std::error_code ignored;  // a folder that cannot be looked into holds nothing for us
  return fs::exists(path, ignored);
}

std::string counted(mae::index_t count, std::string const& one, std::string const& many) {
  return std::to_string(count) + ' ' + (count == 1 ? one : many);
}

/// "pictures from pets: 12 pictures, 2 classes, parts pets/train (10) and pets/test (2); left out:
/// 3 .webp, 2 hidden".
std::string describe(std::string const& asked, mae::picture_list const& list) {
  std::string text =
      "pictures from " + (list.inner_folder.empty() ? asked : list.inner_folder) + ": " +
      counted(std::ssize(list.files), "picture", "pictures") + ", " +
      (list.class_names.empty() ? "no classes"
                                : counted(std::ssize(list.class_names), "class", "classes"));
  std::size_t left = list.part_folders.size();
  for (auto const& [part, folder] : list.part_folders) {
    bool const is_first = left == list.part_folders.size();
    --left;
    text += is_first ? (left == 0 ? ", part " : ", parts ") : (left == 0 ? " and " : ", ");
    text += folder + " (" + std::to_string(count_pictures(list, part)) + ")";
  }
  std::string const others = to_string(list.left_out);
  return text + (others.empty() ? "" : "; left out: " + others);
}

/// What cannot be looked into would be left out without a word.
mae::found_pictures look_for_pictures(std::string const& asked) {
  try {
    return mae::find_pictures(asked);
  } catch (mae::io_error const& problem) {
    throw mae::config_error(problem.what() +
                            std::string(": make this folder readable, or move it out of ") + asked +
                            " (--unreadable skip leaves out pictures, not folders)");
  }
}

data_source find_pictures(std::string const& asked) {
  auto const found = look_for_pictures(asked);
  if (found.names.empty()) {
    std::string const others = to_string(found.left_out);
    throw mae::config_error(
        asked +
        " holds neither CIFAR-10's binary version (data_batch_1.bin) nor pictures (*.png, "
        "*.jpg, *.jpeg)" +
        (is_there(fs::path(asked) / "data_batch_1")
             ? "; it holds CIFAR-10's Python version: take cifar-10-binary.tar.gz"
             : "") +
        (others.empty() ? "" : "; left out: " + others));
  }
  data_source source{data_kind::pictures, asked, {}, mae::list_pictures(asked, found)};
  source.reason = describe(asked, source.pictures);
  if (!source.pictures.class_like_part.empty())
    source.assumed = source.pictures.class_like_part +
                     " is a class, as the folders beside it are, and no part; --data " +
                     (fs::path(asked) / source.pictures.class_like_part).string() +
                     " reads it alone";
  return source;
}

data_source find_asked(std::string const& asked) {
  if (asked == "synthetic") return {data_kind::synthetic, {}, "synthetic images, as asked"};
  std::error_code failed;
  auto const status = fs::status(asked, failed);
  if (!fs::exists(status)) throw mae::io_error(asked, "open", failed ? failed.value() : ENOENT);
  if (fs::is_directory(status)) {
    if (!holds_cifar10(asked)) return find_pictures(asked);
    return {data_kind::cifar10, asked, "CIFAR-10 from " + asked};
  }
  for (auto const* archive : {".gz", ".tgz", ".zip", ".tar", ".7z"})
    if (asked.ends_with(archive))
      throw mae::config_error(asked + " is an archive: unpack it, and give the folder");
  return {data_kind::pictures, asked, "the picture " + asked, mae::list_picture(asked)};
}

}  // namespace

bool holds_cifar10(fs::path const& folder) {
  return is_there(folder / "data_batch_1.bin") ||
         is_there(folder / "cifar-10-batches-bin" / "data_batch_1.bin");
}

data_source find_data(std::string const& asked, char const* environment, fs::path const& usual) {
  if (!asked.empty()) return find_asked(asked);
  std::string const named = environment == nullptr ? "" : environment;
  if (!named.empty() && holds_cifar10(named))
    return {data_kind::cifar10, named, "CIFAR-10 from " + named + " (MAE_CIFAR10_DIR)"};
  std::string const where = named.empty()
                                ? "MAE_CIFAR10_DIR is not set"
                                : "there is no CIFAR-10 in " + named + " (MAE_CIFAR10_DIR)";
  if (holds_cifar10(usual))
    return {data_kind::cifar10,
            usual,
            "CIFAR-10 from " + usual.string(),
            {},
            named.empty()
                ? ""
                : "CIFAR-10 from " + usual.string() + ", as " + where + "; --data says otherwise"};
  return {data_kind::synthetic,
          {},
          "synthetic images",
          {},
          "synthetic images, made by the program, as " + where + " and none is in " +
              usual.string() + "; --data says otherwise"};
}

void say_source(data_source const& source, std::ostream* out, std::ostream& notes) {
  if (out != nullptr)
    *out << mae::printable(source.reason) << std::endl;
  else if (!to_string(source.pictures.left_out).empty())
    notes << mae::printable(source.reason) << std::endl;
  if (!source.assumed.empty()) say_assumed(notes, source.assumed);
}

}  // namespace pretrain
