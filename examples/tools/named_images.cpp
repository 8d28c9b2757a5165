#include "named_images.hpp"

#include "data_source.hpp"
#include "decoded_pictures.hpp"
#include "feature_flags.hpp"

#include <mae/data/cifar10.hpp>
#include <mae/images/picture_list.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <span>
#include <string_view>
#include <utility>

namespace tools {
namespace {

using mae::index_t;

named_images load_pictures(pretrain::data_source const& source,
                           pretrain::image_request const& request,
                           index_t most,
                           mae::thread_pool& threads) {
  auto list = source.pictures;
  std::ranges::sort(list.files, {}, &mae::picture_file::path);
  std::vector<mae::picture_file> kept;
  for (index_t const i : spread(std::ssize(list.files), most))
    kept.push_back(list.files[static_cast<std::size_t>(i)]);
  list.files = std::move(kept);
  auto const all = rows_of(list);
  auto decoded = pretrain::decode_pictures(std::move(list), request, threads, std::cerr);
  std::vector<feature_row> rows;
  for (index_t const number : decoded.numbers)
    rows.push_back(all[static_cast<std::size_t>(number)]);
  return {pretrain::image_set(std::move(decoded.images)), std::move(rows), source.folder.string()};
}

}  // namespace

named_images load_named_images(common_options const& o,
                               std::string const& data,
                               mae::pretrained_model const& model,
                               index_t most,
                               mae::thread_pool& threads) {
  auto const source = pretrain::find_data(data, std::getenv("MAE_CIFAR10_DIR"));
  pretrain::say_source(source, &std::cout, std::cerr);
  auto const request = request_for(o, model, source, false);
  if (source.kind == pretrain::data_kind::pictures)
    return load_pictures(source, request, most, threads);
  auto sets = pretrain::load_images(source, request, threads, std::cerr);
  std::span<std::string_view const> names;  // a class of the synthetic set is a number
  if (source.kind == pretrain::data_kind::cifar10) names = mae::cifar10_class_names;
  index_t const count = most == 0 ? sets.test.size() : std::min(most, sets.test.size());
  auto rows = rows_of(sets.test, "test", count, names);
  return {std::move(sets.test), std::move(rows), sets.name};
}

std::vector<index_t> spread(index_t count, index_t most) {
  index_t const kept = most == 0 ? count : std::min(most, count);
  std::vector<index_t> numbers;
  for (index_t i = 0; i < kept; ++i) numbers.push_back(i * count / kept);
  return numbers;
}

}  // namespace tools
