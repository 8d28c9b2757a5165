#pragma once

#include "class_head.hpp"
#include "encoders.hpp"
#include "gallery.hpp"
#include "painter.hpp"
#include "serve_options.hpp"

#include <mae/core/config.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/images/fitted_image.hpp>
#include <mae/interop/pretrained_model.hpp>

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace serve {

/// What may be asked of a model.
enum class task { features, tokens, classify, reconstruct, view, attention, neighbours };

/// Images that are computed at once.
struct image_batch {
  task what = task::features;
  mae::index_t images = 0;
  std::vector<std::uint8_t> pixels = {};  // (n, H, W, C), of the extent of the task's images
  hidden_patches hidden = {};             // (n, N), of reconstructions
  attention_asked attention = {};
};

/// All that is served of --model and --classifier, in memory; it does not change. Const members
/// but `compute` may be called from several threads at once.
class served_model {
 public:
  /// Reads the files, and encodes the pictures of --gallery. What they leave open is said on
  /// `notes`. Throws what reading a checkpoint throws, also where an image's features are not
  /// finite, and what the gallery throws.
  served_model(serve_options const& o,
               std::shared_ptr<mae::thread_pool> const& threads,
               std::ostream& notes,
               encoding_beside const& beside = {});

  bool offers(task what) const;
  /// Of a task's images.
  mae::model_config const& sizes(task what) const;
  /// The values of each image that `compute` makes.
  mae::index_t width(image_batch const& batch) const;
  /// With its encoder's names in order, where there is one.
  std::optional<class_head> const& classifier() const { return classifier_; }

  /// What neighbours are looked for in; nullptr without --gallery.
  gallery const* pictures() const { return gallery_.get(); }

  /// A picture (PNG, JPEG) as an image of the task's. Throws mae::format_error, mae::config_error,
  /// mae::io_error; messages begin with `name`.
  std::vector<std::uint8_t> decode(task what,
                                   std::string const& name,
                                   std::string_view picture) const;

  /// (n, width): of features, classes and neighbours (n, 2 D), the class token and the mean of the
  /// patch tokens; (n, (N + 1) D) of tokens; of attention (n, H, S, S) or (n, S, S), S = N + 1; of
  /// reconstructions whole images in [0, 1]. By one thread at a time; of a view there is nothing to
  /// compute.
  std::vector<float> compute(image_batch const& batch) const;

  /// What it is, as JSON.
  std::string describe() const;
  /// The same in a line for a person.
  std::string sentence() const;

 private:
  /// An encoder, and how pictures become its images.
  struct opened_encoder {
    mae::model_config sizes;
    mae::image_folder_options pictures;
    served_encoder compute;
  };

  static std::shared_ptr<opened_encoder const> open(
      mae::pretrained_model const& model,
      serve_options const& o,
      bool is_fit_given,
      std::shared_ptr<mae::thread_pool> const& threads,
      std::ostream& notes);
  opened_encoder const& encoder(task what) const {
    return what == task::classify ? *classifying_ : *encoder_;
  }
  void try_out() const;

  precision_choice precision_;
  std::shared_ptr<opened_encoder const> encoder_;
  std::shared_ptr<opened_encoder const> classifying_;  // the same where the files are
  std::optional<class_head> classifier_;
  std::unique_ptr<painter const> painter_;
  std::unique_ptr<gallery const> gallery_;
};

}  // namespace serve
