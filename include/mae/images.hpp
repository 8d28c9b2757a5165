#pragma once

/// Pictures from files: what needs libpng and libjpeg-turbo (the CMake component images).

#include <mae/images/decoded_folder.hpp>
#include <mae/images/fitted_image.hpp>
#include <mae/images/found_pictures.hpp>
#include <mae/images/image_file.hpp>
#include <mae/images/image_folder.hpp>
#include <mae/images/image_limits.hpp>
#include <mae/images/list_pictures.hpp>
#include <mae/images/picture_fit.hpp>
#include <mae/images/picture_list.hpp>
