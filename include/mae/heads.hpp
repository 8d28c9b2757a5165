#pragma once

/// The heads that mae.hpp does not have.

#include <mae/head/attentive_classifier.hpp>
#include <mae/head/contrast.hpp>
#include <mae/head/keypoints.hpp>
#include <mae/head/segmenter.hpp>
#include <mae/head/sigreg.hpp>
#include <mae/head/uniformity.hpp>
