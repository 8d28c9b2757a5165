// An encoder that takes away noise of any level, and by that knows the score of noisy images: in
// which direction they become likelier. Here it cleans images that it has not seen.
#include <mae/data/normalise.hpp>
#include <mae/eval/denoise.hpp>
#include <mae/heads.hpp>
#include <mae/mae.hpp>

#include <cstddef>
#include <iostream>
#include <span>
#include <vector>

constexpr mae::model_config small{.image = {.height = 16, .width = 16, .channels = 3},
                                  .patch = {.height = 4, .width = 4},
                                  .encoder = {.depth = 2, .width = 32, .heads = 4},
                                  .decoder = {.depth = 1, .width = 32, .heads = 4}};

double mean_square_of_difference(std::vector<float> const& a, std::vector<float> const& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum / static_cast<double>(a.size());
}

int main() {
  mae::synthetic_dataset const images(640, 1, small.image);
  mae::synthetic_dataset const others(64, 2, small.image);
  // [denoise]
  mae::headed_encoder<small, mae::no_mask, mae::eigen_backend<float>, mae::denoiser> network(
      {.heads = {mae::denoiser{}}});
  mae::trainer training(network,
                        images,
                        {.batch_size = 64,
                         .epochs = 12,
                         .lr = 4e-3,
                         .noise = {.sigma_min = 0.5, .sigma_max = 2}});  // drawn for each image
  training.run();

  std::vector<float> clean(static_cast<std::size_t>(64 * small.image.values()));
  for (mae::index_t i = 0; i < others.size(); ++i)
    others.read(i,
                std::span(clean).subspan(static_cast<std::size_t>(i * small.image.values()),
                                         static_cast<std::size_t>(small.image.values())));
  mae::normalise_pixels(clean, network.statistics());
  mae::random_stream random({.seed = 3});
  for (double const sigma : {1.0, 2.0}) {
    auto noisy = clean;
    for (float& value : noisy) value += static_cast<float>(sigma * random.normal());
    // The score, grad log p of noisy images, is (denoised - noisy) / sigma^2.
    auto const denoised = mae::denoise<0>(network, noisy, sigma);
    std::cout << "sigma " << sigma << ": mean squared error "
              << mean_square_of_difference(noisy, clean) << ", denoised "
              << mean_square_of_difference(denoised, clean) << "\n";
    if (mean_square_of_difference(denoised, clean) > 0.5 * sigma * sigma) return 1;
  }
  // [/denoise]
}
