#pragma once

/// The heads that mae.hpp does not have, and models of another painter.

#include <mae/head/attentive_classifier.hpp>
#include <mae/head/contrast.hpp>
#include <mae/head/denoiser.hpp>
#include <mae/head/keypoints.hpp>
#include <mae/head/perceptual.hpp>
#include <mae/head/ranking.hpp>
#include <mae/head/segmenter.hpp>
#include <mae/head/sigreg.hpp>
#include <mae/head/uniformity.hpp>
#include <mae/model/cross_autoencoder.hpp>
#include <mae/model/perceptual_encoder.hpp>
