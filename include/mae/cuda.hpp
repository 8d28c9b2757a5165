#pragma once

/// Masked autoencoders on an NVIDIA GPU: for .cu files, and without Eigen, which nvcc would compile
/// without vectors. Evaluation runs on the processor: include mae.hpp in a .cpp file for it.

#include <mae/backend/cuda/cuda_backend.cuh>
#include <mae/core/build_info.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/random.hpp>
#include <mae/data/augment.hpp>
#include <mae/data/channel_statistics.hpp>
#include <mae/data/cifar10.hpp>
#include <mae/data/memory_dataset.hpp>
#include <mae/data/subset.hpp>
#include <mae/data/synthetic.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/io/model_file.hpp>
#include <mae/mask/ramped.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/mask/saliency.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/encoder_of.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/train/heldout.hpp>
#include <mae/train/trainer.hpp>
