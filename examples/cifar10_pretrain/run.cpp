#include "run.hpp"

#include "beginning.hpp"
#include "configs.hpp"
#include "data_source.hpp"
#include "dry_run.hpp"
#include "images.hpp"
#include "interrupt.hpp"
#include "options.hpp"
#include "output_folder.hpp"
#include "picture_settings.hpp"
#include "program.hpp"
#include "session.hpp"

#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <optional>
#include <system_error>
#include <utility>

namespace pretrain {
namespace {

/// A training that stands in the output folder already is not overwritten.
void check_output(options const& settings) {
  auto const checkpoint = settings.out / output::training;
  bool const exists = std::filesystem::exists(checkpoint);
  if (exists && !settings.resume)
    throw mae::config_error(
        checkpoint.string() +
        " is there already: go on with it by --resume, or choose another --out");
  if (!exists && settings.resume)
    throw mae::config_error("there is nothing to resume: " + checkpoint.string() +
                            " does not exist");
}

image_sets load_sets(data_source const& source,
                     options const& settings,
                     picture_settings const& pictures) {
  mae::thread_pool threads(settings.threads);
  bool const graded = settings.probe != probe_choice::none;
  auto images = load_images(source,
                            {.extent = config_of(settings).image,
                             .skip_unreadable = settings.unreadable == unreadable_choice::skip,
                             .limits = {.pixels = settings.max_pixels},
                             .fit = pictures.fit,
                             .kind = pictures.kind,
                             .tests = settings.tests,
                             .graded = graded},
                            threads,
                            std::cerr);
  if (graded) require_classes(images, ", or give --probe none");
  return images;
}

void run(options settings) {
  require_backend(settings.backend);
  say_version(settings.repeated, std::cerr);
  std::optional<output_lock> lock;  // as early as there is a folder
  if (std::filesystem::exists(settings.out) && !std::filesystem::is_directory(settings.out))
    throw mae::config_error("--out " + settings.out.string() +
                            " is there, and is no folder: choose another");
  if (std::filesystem::is_directory(settings.out) && !settings.dry_run)
    lock.emplace(settings.out, std::cerr);
  check_output(settings);
  auto const source = find_data(settings.data, std::getenv("MAE_CIFAR10_DIR"));
  say_source(source, settings.quiet ? nullptr : &std::cout, std::cerr);
  auto start = read_beginning(settings, source, std::cerr);
  image_sets const images = load_sets(source, settings, start.pictures);
  fit_batch(settings, images.train.size(), std::cerr);
  if (settings.dry_run) return say_plan(settings, images, start, std::cout);
  std::error_code failed;
  std::filesystem::create_directories(settings.out, failed);  // now that nothing else is missing
  if (failed) throw mae::io_error(settings.out.string(), "create folder", failed.value());
  if (!lock) {
    lock.emplace(settings.out, std::cerr);
    check_output(settings);  // another training may have begun there meanwhile
  }
  catch_interrupts();
  run_session(settings, images, std::move(start));
}

}  // namespace

int run(int argc, char** argv) {
  return run_program(
      "cifar10_pretrain", "a smaller --batch-size needs less", [&](char const* /*name*/) {
        auto const settings = parse(argc, argv, std::cout);
        if (settings) run(*settings);
      });
}

}  // namespace pretrain
