#include "beginning.hpp"

#include "assumed.hpp"
#include "data_source.hpp"

#include <mae/core/text.hpp>
#include <mae/data/channel_statistics.hpp>
#include <mae/interop/pretrained.hpp>
#include <mae/io/description.hpp>
#include <mae/io/progress_reader.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/model/pooling.hpp>

#include <ostream>
#include <string>

namespace pretrain {
namespace {

void check_statistics(options const& settings,
                      mae::pretrained_model const& initial,
                      image_set const& images,
                      mae::thread_pool& threads,
                      std::ostream& notes) {
  bool const is_imagenet = settings.statistics == statistics_choice::imagenet;
  bool const is_known = !initial.statistics().mean.empty();
  if (!is_known && !settings.statistics_asked)
    say_assumed(notes,
                std::string("pixels are normalised by ") +
                    (is_imagenet ? "ImageNet's" : "the training images' own") +
                    " mean and deviation, of which " + initial.path +
                    " says nothing; --statistics says otherwise");
  if (is_known && settings.statistics_asked)
    mae::require_equal(initial.path,
                       initial.description,
                       mae::describe(is_imagenet ? mae::imagenet_statistics()
                                                 : mae::channel_statistics(images, threads)));
}

/// A training fits pictures in one way, whatever the checkpoint's was.
void compare_pictures(options const& settings,
                      mae::pretrained_model const& initial,
                      std::ostream& notes) {
  bool const are_pictures =
      !settings.data.empty() && settings.data != "synthetic" && !holds_cifar10(settings.data);
  auto const how = initial.pictures();
  bool const is_crop = how.fit.empty() || how.fit == "crop";
  bool const is_bicubic = how.resample.empty() || how.resample == "bicubic";
  if (are_pictures && !(is_crop && is_bicubic))
    say_assumed(notes,
                "of pictures the middle is taken, by a bicubic filter, although " + initial.path +
                    " was made for others (" + how.fit + ", " + how.resample +
                    "); prepare the pictures beforehand to train on such");
}

}  // namespace

saved_training read_saved_training(std::filesystem::path const& checkpoint, mae::index_t channels) {
  constexpr double usual_epsilon = 1e-6;
  std::string const path = checkpoint.string();
  auto const file = mae::safetensors_file::load(path);
  mae::progress_reader const read(path, file.metadata());
  return {.total_steps = read.count("total_steps"),
          .warmup_epochs = read.number("warmup_epochs"),
          .norm_epsilon = mae::parse_norm_epsilon(path, file.metadata(), usual_epsilon),
          .statistics = mae::parse_statistics(path, file.metadata(), channels)};
}

std::shared_ptr<mae::pretrained_model const> read_initial_model(options const& settings,
                                                                image_set const& images,
                                                                mae::thread_pool& threads,
                                                                std::ostream& notes) {
  if (settings.init.empty()) return nullptr;
  auto initial = std::make_shared<mae::pretrained_model const>(
      mae::read_pretrained(settings.init.string(), {.flags_of = "mae_convert's "}));
  for (auto const& note : initial->notes) notes << mae::printable(note) << '\n';
  if (initial->final_norm() == mae::norm_place::pooled)
    say_assumed(notes,
                "the norm of the mean (fc_norm) of " + initial->path +
                    " begins as that of every token, which a decoder reads; another --init says "
                    "otherwise");
  check_statistics(settings, *initial, images, threads, notes);
  compare_pictures(settings, *initial, notes);
  return initial;
}

}  // namespace pretrain
