#pragma once

#include <mae/images/decoded_folder.hpp>
#include <mae/images/picture_list.hpp>

#include <iosfwd>
#include <string>
#include <vector>

namespace mae {
class thread_pool;
struct image_folder_options;
}  // namespace mae

namespace pretrain {

struct image_request;

/// How a folder's pictures are read for a request.
mae::image_folder_options folder_options(image_request const& request);

/// What is wrong with pictures is said on `notes` where the request is to leave such out; otherwise
/// the first ends it: throws mae::config_error.
void take_unreadable(std::vector<std::string> const& unreadable,
                     image_request const& request,
                     std::ostream& notes);

/// Decodes pictures. One that cannot be decoded is said on `notes` where the request is to leave
/// such out, and ends it otherwise, as no picture left does. Throws mae::config_error.
mae::decoded_folder decode_pictures(mae::picture_list list,
                                    image_request const& request,
                                    mae::thread_pool& threads,
                                    std::ostream& notes);

}  // namespace pretrain
