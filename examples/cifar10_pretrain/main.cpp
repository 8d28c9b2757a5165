#include "data_source.hpp"
#include "images.hpp"
#include "interrupt.hpp"
#include "options.hpp"
#include "session.hpp"

#include <mae/core/error.hpp>

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <new>

namespace pretrain {
namespace {

/// A training that stands in the output folder already is not overwritten.
void check_output(options const& settings) {
  auto const checkpoint = settings.out / "training.safetensors";
  bool const exists = std::filesystem::exists(checkpoint);
  if (exists && !settings.resume)
    throw mae::config_error(
        checkpoint.string() +
        " is there already: go on with it by --resume, or choose another --out");
  if (!exists && settings.resume)
    throw mae::config_error("there is nothing to resume: " + checkpoint.string() +
                            " does not exist");
}

void run(options const& settings) {
  require_backend(settings.backend);
  check_output(settings);
  auto const source = find_data(settings.data, std::getenv("MAE_CIFAR10_DIR"));
  if (!settings.quiet) std::cout << source.reason << std::endl;
  image_sets const images = load_images(source);
  std::filesystem::create_directories(settings.out);  // now that nothing else is missing
  catch_interrupts();
  run_session(settings, images);
}

constexpr int exit_error = 1;
constexpr int exit_usage = 2;

}  // namespace
}  // namespace pretrain

int main(int argc, char** argv) {
  try {
    auto const settings = pretrain::parse(argc, argv, std::cout);
    if (settings) pretrain::run(*settings);
    return EXIT_SUCCESS;
  } catch (pretrain::usage_error const& error) {
    std::cerr << "cifar10_pretrain: " << error.what() << '\n';
    return pretrain::exit_usage;
  } catch (std::bad_alloc const&) {
    std::cerr << "cifar10_pretrain: out of memory; a smaller --batch-size needs less\n";
  } catch (std::exception const& error) {
    std::cerr << "cifar10_pretrain: " << error.what() << '\n';
  }
  return pretrain::exit_error;
}
