#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/eval/feature_norm.hpp>
#include <mae/eval/feature_pass.hpp>
#include <mae/eval/labelled_features.hpp>
#include <mae/network/head.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/staging.hpp>
#include <mae/network/weights.hpp>
#include <mae/op/linear.hpp>
#include <mae/op/set_zero.hpp>
#include <mae/optimizer/optimizer.hpp>
#include <mae/optimizer/rule.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <memory>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace mae {

/// What cached features are of.
struct feature_rows {
  index_t of_image = 1;          // S, the tokens that stand for an image
  bool weights_beneath = false;  // whether the head learns before its linear layer
};

/// A head that classifies, over cached features of S rows of F values an image, normalised (see
/// feature_norm) as they are loaded. A batch is cut into pieces that run in parallel and are summed
/// in order, so that the number of threads does not change a bit.
template <Backend B, LabelledHeadOn<typename B::lane> H, UpdateRule Rule>
class feature_classifier {
  using L = typename B::lane;
  using T = typename B::scalar;
  using pass_type = detail::feature_pass<B, H>;

 public:
  /// All weights are zero at first. `batch` >= 2 is the size of every training batch.
  feature_classifier(
      H const& head, feature_rows rows, index_t batch, Rule const& rule, B const& backend)
      : head_(head),
        rows_(rows.of_image),
        layout_(layout_of(head_)),
        backend_(backend),
        piece_images_(std::max(least_images, ceil_div(batch, B::shards.sums))),
        norm_(head.encoder_width),
        parameters_(layout_.size()),
        values_(bound<T const>(parameters_.data())),
        packed_(rows.weights_beneath ? pass_kind::training : pass_kind::inference),
        rule_(layout_, rule, backend),
        totals_(ceil_div(batch, piece_images_)) {
    assert(batch >= 2);
    for (int i = 0; i < backend_.num_workers(); ++i)
      passes_.push_back(std::make_unique<pass_type>(backend_, head_, rows_, piece_images_));
    for (index_t i = 0; i < totals_.size(); ++i) {
      gradients_.push_back({.values = typename B::buffer(layout_.size())});
      gradients_.back().weights = bound<T>(gradients_.back().values.data());
    }
    for (index_t first = 0; first < batch; first += least_images)
      sums_.emplace_back(head.encoder_width);
    packed_.place([&](auto& at) { head_.walk(at, values_, operands_); });
    packed_.pack(backend_);
  }

  /// Gives a tensor of weights() these values, in the host's memory.
  void set(std::span<T const> tensor, std::span<T const> values) {
    auto const offset = static_cast<std::size_t>(tensor.data() - parameters_.data());
    assert(offset + tensor.size() <= parameters_.span().size() && tensor.size() == values.size());
    passes_.front()->lane().upload(values, parameters_.span().subspan(offset, tensor.size()));
    packed_.pack(backend_);
  }
  /// Draws a tensor of weights() from N(0, deviation^2).
  void draw(std::span<T const> tensor, double deviation, random_stream& random) {
    host_buffer<T> drawn(std::ssize(tensor));
    for (T& value : drawn.span()) value = static_cast<T>(deviation * random.normal());
    set(tensor, drawn.span());
  }

  /// One step over the images `rows` (batch) of `set`, whose features are (n, S F). Returns their
  /// mean cross-entropy before it.
  template <class In>
  double train(labelled_rows<In> const& set,
               std::span<image_index const> rows,
               double learning_rate) {
    auto const count = static_cast<index_t>(rows.size());
    feature_scaling const& scaling = norm_.observe(sums_of(set, rows), count * rows_);
    for_pieces(count, [&](pass_type& pass, index_t piece, index_t first, index_t images) {
      load(set, scaling, pass, images, [&](index_t i) {
        return static_cast<index_t>(rows[static_cast<std::size_t>(first + i)]);
      });
      gradient& own = gradients_[static_cast<std::size_t>(piece)];
      double* const total = totals_.data() + piece;
      set_zero(pass.lane(), own.values.span());
      set_zero(pass.lane(), std::span(total, 1));
      pass.learn(images, operands_, own.weights, total);
    });
    return descend(count, learning_rate);
  }

  /// The share of the set's images, in [0, 1], whose own class has the largest logit (of equal ones
  /// the lower class), the features normalised by the running statistics.
  template <class In>
  double accuracy(labelled_rows<In> const& set) {
    feature_scaling const scaling = norm_.running();
    std::vector<index_t> correct(static_cast<std::size_t>(ceil_div(set.size(), piece_images_)));
    for_pieces(set.size(), [&](pass_type& pass, index_t piece, index_t first, index_t images) {
      load(set, scaling, pass, images, [&](index_t i) { return first + i; });
      auto const logits = pass.predict(images, operands_);
      host_values<B> const host(backend_, {logits.data, static_cast<std::size_t>(logits.size())});
      for (index_t i = 0; i < images; ++i) {
        auto const row = matrix_view<T const>(host.span().data(), images, logits.cols).row(i);
        auto const chosen = std::max_element(row.begin(), row.end()) - row.begin();
        correct[static_cast<std::size_t>(piece)] += chosen == set.label(first + i) ? 1 : 0;
      }
    });
    index_t const right = std::accumulate(correct.begin(), correct.end(), index_t{0});
    return static_cast<double>(right) / static_cast<double>(set.size());
  }

  /// The head's tensors, in the backend's memory.
  typename H::template weights<T const, linear_weights<T const>> const& weights() const {
    return values_;
  }
  /// The same as one array, padding included, which is zero.
  std::span<T const> values() const { return parameters_.span(); }
  feature_norm const& norm() const { return norm_; }

 private:
  /// Of a piece: few enough that a core's caches hold them.
  static constexpr index_t least_images = 64;

  /// Of the sum of a piece's losses.
  struct gradient {
    typename B::buffer values;  // laid out as the parameters
    typename pass_type::gradients_type weights = {};
  };

  static parameter_layout layout_of(H const& head) {
    parameter_layout layout;
    layout.begin(H::name);
    detail::table_walk at(layout);
    head.walk(at);
    return layout;
  }

  /// The tensors within a flat array of the layout.
  template <class Value>
  typename H::template weights<Value, linear_weights<Value>> bound(Value* base) const {
    typename H::template weights<Value, linear_weights<Value>> views;
    tensor_binder<Value> at(layout_, base);
    head_.walk(at, views);
    return views;
  }

  /// body(pass, piece, first, images) for the pieces of `count` images.
  template <class Body>
  void for_pieces(index_t count, Body const& body) {
    backend_.for_each(ceil_div(count, piece_images_), [&](index_t piece, int worker) {
      index_t const first = piece * piece_images_;
      body(*passes_[static_cast<std::size_t>(worker)],
           piece,
           first,
           std::min(piece_images_, count - first));
    });
  }

  /// Writes the images image_of(0), image_of(1), ... of a set where a pass reads them. Within a
  /// body of for_pieces.
  template <class In, class ImageOf>
  void load(labelled_rows<In> const& set,
            feature_scaling const& scaling,
            pass_type& pass,
            index_t images,
            ImageOf const& image_of) const {
    auto const features = pass.features(images);
    auto const labels = pass.labels(images);
    backend_.for_each_inside(images, [&](index_t i, int /*helper*/) {
      index_t const image = image_of(i);
      for (index_t row = 0; row < rows_; ++row)
        scaling.apply(row_of(set, image, row), features.row(i * rows_ + row));
      labels(i, 0) = static_cast<T>(set.label(image));
    });
  }

  template <class In>
  std::span<In const> row_of(labelled_rows<In> const& set, index_t image, index_t row) const {
    auto const width = static_cast<std::size_t>(head_.encoder_width);
    return set.features.row(image).subspan(static_cast<std::size_t>(row) * width, width);
  }

  template <class In>
  feature_sums const& sums_of(labelled_rows<In> const& set, std::span<image_index const> rows) {
    auto const count = static_cast<index_t>(rows.size());
    assert(ceil_div(count, least_images) == std::ssize(sums_));
    backend_.threads().for_ranges(count, least_images, [&](index_t first, index_t last, int) {
      feature_sums& own = sums_[static_cast<std::size_t>(first / least_images)];
      own.clear();
      for (index_t i = first; i < last; ++i)
        for (index_t row = 0; row < rows_; ++row)
          own.add(row_of(set, rows[static_cast<std::size_t>(i)], row));
    });
    for (std::size_t i = 1; i < sums_.size(); ++i) sums_[0].add(sums_[i]);
    return sums_[0];
  }

  double descend(index_t count, double learning_rate) {
    add_gradients();
    rule_.step(parameters_.span(),
               std::as_const(gradients_.front().values).span(),
               learning_rate,
               1.0 / static_cast<double>(count));
    packed_.pack(backend_);
    host_buffer<double> losses(totals_.size());
    passes_.front()->lane().download(std::span<double const>(totals_.span()), losses.span());
    return std::accumulate(losses.span().begin(), losses.span().end(), 0.0) /
           static_cast<double>(count);
  }

  /// Sums the pieces' gradients into the first's, in order. A lane that is parallel has one piece.
  void add_gradients() {
    assert(!L::is_parallel || gradients_.size() == 1);
    if constexpr (!L::is_parallel)
      backend_.threads().for_ranges(layout_.size(), 1 << 14, [&](index_t first, index_t last, int) {
        T* const sum = gradients_.front().values.data();
        for (std::size_t piece = 1; piece < gradients_.size(); ++piece) {
          T const* __restrict const other = gradients_[piece].values.data();
          for (index_t i = first; i < last; ++i) sum[i] += other[i];
        }
      });
  }

  H head_;
  index_t rows_;
  parameter_layout layout_;
  B backend_;
  index_t piece_images_;
  feature_norm norm_;
  std::vector<feature_sums> sums_;  // of the batch's images, `least_images` each
  typename B::buffer parameters_;
  typename H::template weights<T const, linear_weights<T const>> values_;
  detail::packed_layers<B> packed_;
  typename pass_type::operands_type operands_;
  optimizer<Rule, B> rule_;
  std::vector<std::unique_ptr<pass_type>> passes_;  // of each worker
  std::vector<gradient> gradients_;                 // of each piece
  typename B::template buffer_of<double> totals_;   // of each piece, the sum of its losses
};

}  // namespace mae
