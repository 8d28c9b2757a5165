#pragma once

#include <mae/images/decoded_folder.hpp>
#include <mae/images/picture_list.hpp>

#include <iosfwd>

namespace mae {
class thread_pool;
}

namespace pretrain {

struct image_request;

/// Decodes pictures. One that cannot be decoded is said on `notes` where the request is to leave
/// such out, and ends it otherwise, as no picture left does. Throws mae::config_error.
mae::decoded_folder decode_pictures(mae::picture_list list,
                                    image_request const& request,
                                    mae::thread_pool& threads,
                                    std::ostream& notes);

}  // namespace pretrain
