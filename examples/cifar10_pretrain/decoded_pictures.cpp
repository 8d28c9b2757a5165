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

mae::decoded_folder decode_pictures(mae::picture_list list,
                                    image_request const& request,
                                    mae::thread_pool& threads,
                                    std::ostream& notes) {
  mae::image_folder const folder(std::move(list),
                                 {.extent = request.extent,
                                  .fit = request.fit,
                                  .kind = request.kind,
                                  .limits = request.limits});
  auto decoded = mae::decode_all(folder, threads, mae::unreadable_policy::skip);
  auto const& unreadable = decoded.unreadable;
  if (!unreadable.empty() && !request.skip_unreadable)
    throw mae::config_error(
        unreadable.front() +
        (unreadable.size() > 1 ? " (and " + std::to_string(unreadable.size() - 1) + " more)" : "") +
        "; --unreadable skip leaves such files out");
  for (auto const& problem : unreadable) notes << "left out: " << mae::printable(problem) << '\n';
  return decoded;
}

}  // namespace pretrain
