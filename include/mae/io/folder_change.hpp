#pragma once

#include <mae/core/error.hpp>
#include <mae/io/file.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mae {

/// Replaces several files of a folder that are read together, all of them or none. All new files
/// are written beside the old ones first. `commit` then takes the old ones away in the order in
/// which they were named, puts the new ones in place in the reverse order and, where a step fails,
/// undoes those before it. Name first the file without which the others are not read: at no moment,
/// whatever kills the process, a reader then finds files of both kinds. A process killed within
/// `commit` leaves the old files as `<file>.<process>-<count>.replaced`. Every member that fails
/// throws io_error.
class folder_change {
 public:
  /// Makes the folder where there is none; its parent must exist.
  explicit folder_change(std::string folder)
      : folder_(std::move(folder)), is_new_(::mkdir(folder_.c_str(), 0777) == 0) {
    if (!is_new_ && errno != EEXIST) throw io_error(folder_, "create folder", errno);
  }
  folder_change(folder_change const&) = delete;
  folder_change& operator=(folder_change const&) = delete;
  ~folder_change() {
    files_.clear();
    if (is_new_) ::rmdir(folder_.c_str());
  }

  /// A file's new bytes, to be written to what is returned: write(std::span<std::byte const>).
  detail::temporary_file& add(std::string const& name) {
    auto& added = files_.emplace_back(replaceable(name), nullptr);
    added.temporary = std::make_unique<detail::temporary_file>(added.path, added.path);
    return *added.temporary;
  }
  void add_text(std::string const& name, std::string_view text) {
    add(name).write(std::as_bytes(std::span(text)));
  }
  /// A file that is not to be there any more, if it is there.
  void remove(std::string const& name) { files_.emplace_back(replaceable(name), nullptr); }

  /// Makes the change; call it once, last.
  void commit() {
    for (auto const& file : files_)
      if (file.temporary) file.temporary->finish();
    detail::open_folder const folder(folder_);
    std::vector<move> done;
    try {
      for (auto const& file : files_) take_away(file, done);
      for (std::size_t i = files_.size(); i-- > 0;) {
        if (!files_[i].temporary) continue;
        folder.sync();
        rename(files_[i].temporary->name(), files_[i].path, done);
      }
      folder.sync();
    } catch (...) {
      for (; !done.empty(); done.pop_back())
        std::rename(done.back().to.c_str(), done.back().from.c_str());
      throw;
    }
    is_new_ = false;
    for (auto const& file : files_)
      if (file.temporary) file.temporary->release();
    for (auto const& [from, to] : done)
      if (to.ends_with(replaced)) ::unlink(to.c_str());
  }

 private:
  struct changed_file {
    changed_file(std::string file, std::unique_ptr<detail::temporary_file> bytes)
        : path(std::move(file)), temporary(std::move(bytes)) {}
    std::string path;
    std::unique_ptr<detail::temporary_file> temporary;  // none for a file that goes
  };
  struct move {
    std::string from;
    std::string to;
  };

  static constexpr std::string_view replaced = ".replaced";

  /// The path of a file of the folder, where it is one or is not there yet. A link is no other
  /// folder's file here: it is replaced itself.
  std::string replaceable(std::string const& name) const {
    std::string path = folder_ + '/' + name;
    struct stat status {};
    if (::lstat(path.c_str(), &status) == 0) {
      if (!S_ISLNK(status.st_mode)) detail::require_file(path, status);
    } else if (errno != ENOENT) {
      throw io_error(path, "create", errno);
    }
    return path;
  }

  static void rename(std::string const& from, std::string const& to, std::vector<move>& done) {
    done.push_back({from, to});
    if (std::rename(from.c_str(), to.c_str()) == 0) return;
    int const error_number = errno;
    done.pop_back();
    throw io_error(to, "rename", error_number);
  }
  static void take_away(changed_file const& old, std::vector<move>& done) {
    struct stat status {};
    if (::lstat(old.path.c_str(), &status) != 0) return;
    std::string const aside = old.path + '.' + std::to_string(::getpid()) + '-' +
                              std::to_string(done.size()) + std::string(replaced);
    rename(old.path, aside, done);
  }

  std::string folder_;
  bool is_new_;  // made here, and to be removed unless the change is made
  std::vector<changed_file> files_;
};

}  // namespace mae
