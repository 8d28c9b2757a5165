#include "decoded_pictures.hpp"

#include "images.hpp"

#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/text.hpp>
#include <mae/images/image_folder.hpp>

#include <ostream>
#include <string>
#include <utility>

namespace pretrain {

mae::image_folder_options folder_options(image_request const& request) {
  return {
      .extent = request.extent, .fit = request.fit, .kind = request.kind, .limits = request.limits};
}

void take_unreadable(std::vector<std::string> const& unreadable,
                     image_request const& request,
                     std::ostream& notes) {
  if (!unreadable.empty() && !request.skip_unreadable)
    throw mae::config_error(
        unreadable.front() +
        (unreadable.size() > 1 ? " (and " + std::to_string(unreadable.size() - 1) + " more)" : "") +
        "; --unreadable skip leaves such files out");
  for (auto const& problem : unreadable) notes << "left out: " << mae::printable(problem) << '\n';
}

mae::decoded_folder decode_pictures(mae::picture_list list,
                                    image_request const& request,
                                    mae::thread_pool& threads,
                                    std::ostream& notes) {
  mae::image_folder const folder(std::move(list), folder_options(request));
  auto decoded = mae::decode_all(folder, threads, mae::unreadable_policy::skip);
  take_unreadable(decoded.unreadable, request, notes);
  return decoded;
}

}  // namespace pretrain
