#pragma once

/// Masked autoencoders for C++: everything that runs on the processor.

#include <mae/backend/eigen/eigen_backend.hpp>
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
#include <mae/eval/knn.hpp>
#include <mae/eval/linear_probe.hpp>
#include <mae/head/classifier.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/io/model_file.hpp>
#include <mae/mask/none.hpp>
#include <mae/mask/ramped.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/mask/saliency.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/encoder_of.hpp>
#include <mae/model/headed_encoder.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/optimizer/lion.hpp>
#include <mae/optimizer/sgd.hpp>
#include <mae/optimizer/with_average.hpp>
#include <mae/train/heldout.hpp>
#include <mae/train/trainer.hpp>
