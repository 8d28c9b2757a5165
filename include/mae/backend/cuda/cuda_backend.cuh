#pragma once

#include <mae/backend/concept.hpp>
#include <mae/backend/cuda/attention.cuh>
#include <mae/backend/cuda/context.cuh>
#include <mae/backend/cuda/launch.cuh>
#include <mae/backend/cuda/layer_norm.cuh>
#include <mae/backend/cuda/memory.cuh>
#include <mae/backend/cuda/product.cuh>
#include <mae/core/bfloat16.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/row_offsets.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <algorithm>
#include <cassert>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

namespace mae {

/// A GPU's stream: every verb launches its work and returns. Functors run by a warp a row or a
/// thread block each; products are cuBLASLt's.
template <class Operand>
class cuda_lane {
 public:
  using operand = Operand;
  using scalar = cuda::sum_type<Operand>;
  using cell = Operand;

  /// A right operand, (depth, cols), as it lies or as the transpose of what lies there.
  struct packed {
    operand const* cells = nullptr;
    index_t depth = 0;
    index_t cols = 0;
    bool transposed = false;
  };

  static constexpr bool is_parallel = true;
  static constexpr fused_members fused{.attention = std::is_same_v<Operand, bfloat16>,
                                       .layer_norm = true};
  static constexpr index_t depth_step = 1;

  explicit cuda_lane(std::shared_ptr<cuda::context> context) : context_(std::move(context)) {}

  template <class T>
  void upload(std::span<T const> host, std::span<T> values) const {
    context_->upload(std::as_bytes(host), values.data());
  }
  template <class T>
  void download(std::span<T const> values, std::span<T> host) const {
    context_->download(values.data(), std::as_writable_bytes(host));
  }

  static constexpr index_t packed_cells(index_t depth, index_t cols) {
    return round_up(depth * cols, 128);
  }
  static packed packed_at(cell const* cells, index_t depth, index_t cols) {
    return {cells, depth, cols, false};
  }
  static packed packed_transposed_at(cell const* cells, index_t depth, index_t cols) {
    return {cells, depth, cols, true};
  }
  template <class T>
  packed pack(matrix_view<T> b, cell* cells) const {
    copy(b, cells);
    return packed_at(cells, b.rows, b.cols);
  }
  template <class T>
  packed pack_transposed(matrix_view<T> b, cell* cells) const {
    copy(b, cells);
    return packed_transposed_at(cells, b.cols, b.rows);
  }

  template <class Epilogue>
  void multiply(matrix_view<operand const> a, packed const& b, Epilogue const& epilogue) const {
    assert(a.cols == b.depth);
    index_t const rows = b.transposed ? b.cols : b.depth;
    index_t const cols = b.transposed ? b.depth : b.cols;
    multiply_operands({a}, {{b.cells, rows, cols}, b.transposed}, a.rows, b.cols, epilogue);
  }
  template <class Epilogue>
  void multiply_transposed(matrix_view<operand const> a,
                           matrix_view<operand const> b,
                           Epilogue const& epilogue) const {
    assert(a.rows == b.rows);
    multiply_operands({a, true}, {b}, a.cols, b.cols, epilogue);
  }

  void reserve_products(index_t rows, index_t width) const {
    context_->scratch(bytes_of(rows * width));
  }
  void reserve_transposed(index_t rows, index_t width) const {
    context_->partials(bytes_of(
        std::max(cuda::column_sum_partials(rows, width), cuda::norm_blocks(rows) * 2 * width)));
  }

  template <class Functor>
  void for_rows(index_t count, Functor const& functor) const {
    cuda::launch_rows(context_->stream(), count, functor);
  }
  template <class Functor>
  void for_each(index_t count, Functor const& functor) const {
    cuda::launch_each(context_->stream(), count, functor);
  }
  /// functor(block, i, shared) for every i in [0, count), with an array of `shared` scalars.
  template <class Functor>
  void for_blocks(index_t count, index_t shared, Functor const& functor) const {
    cuda::launch_blocks<scalar>(context_->stream(), count, shared, functor);
  }

  template <class Body>
  void replay(std::span<index_t const> key, Body const& body) const {
    context_->replay(key, body);
  }

  /// Layer norm with each row read once.
  static constexpr bool can_normalise(index_t width) { return cuda::has_norm(width); }
  template <class Y>
  void normalise(matrix_view<scalar const> x,
                 scalar const* weight,
                 scalar const* bias,
                 scalar epsilon,
                 matrix_view<Y> y,
                 matrix_view<scalar> statistics) const {
    cuda::launch_norm_forward(
        context_->stream(),
        cuda::norm_forward_problem<scalar, Y>{x, weight, bias, epsilon, y, statistics});
  }
  void normalise_backward(matrix_view<scalar const> x,
                          scalar const* weight,
                          matrix_view<scalar const> statistics,
                          matrix_view<scalar const> y_grad,
                          matrix_view<scalar> x_grad,
                          scalar* weight_grad,
                          scalar* bias_grad) const {
    index_t const blocks = cuda::norm_blocks(x.rows);
    auto* const partial = scalars(context_->partials(bytes_of(blocks * 2 * x.cols)));
    auto const stream = context_->stream();
    cuda::launch_norm_backward(
        stream,
        cuda::norm_backward_problem<scalar>{x, weight, statistics, y_grad, x_grad, partial});
    cuda::launch_chunk_sums(stream, partial, blocks, 2 * x.cols, x.cols, weight_grad);
    cuda::launch_chunk_sums(stream, partial + x.cols, blocks, 2 * x.cols, x.cols, bias_grad);
  }

  /// Attention on tensor cores, where the heads' width and the longest image allow it.
  bool can_attend(index_t longest, index_t width) const {
    return cuda::has_tensor_attention(width) &&
           cuda::attention_backward_bytes(longest, width) <= context_->shared_bytes();
  }
  void attend(matrix_view<operand const> qkv,
              row_offsets offsets,
              index_t heads,
              scalar scale,
              matrix_view<operand> y,
              matrix_view<scalar> log_sums) const {
    cuda::launch_attention_forward(
        context_->stream(),
        {qkv, offsets.values().data(), static_cast<int>(heads), scale, y, log_sums},
        offsets.images(),
        offsets.longest());
  }
  void attend_backward(matrix_view<operand const> qkv,
                       row_offsets offsets,
                       index_t heads,
                       scalar scale,
                       matrix_view<scalar const> log_sums,
                       matrix_view<operand const> y_grad,
                       matrix_view<operand> qkv_grad) const {
    cuda::launch_attention_backward(
        context_->stream(),
        {qkv, offsets.values().data(), static_cast<int>(heads), scale, log_sums, y_grad, qkv_grad},
        offsets.images(),
        offsets.longest());
  }

  template <class Functor>
  void add_column_sums(index_t rows, Functor const& functor, std::span<scalar> sums) const {
    auto const cols = static_cast<index_t>(sums.size());
    auto* const partial =
        scalars(context_->partials(bytes_of(cuda::column_sum_partials(rows, cols))));
    cuda::launch_column_sums(context_->stream(), rows, cols, functor, partial, sums.data());
  }
  template <class Functor>
  void add_sum(index_t count, Functor const& functor, double* total) const {
    void* const partial =
        context_->partials(cuda::sum_partials(count) * static_cast<index_t>(sizeof(double)));
    cuda::launch_sum(context_->stream(), count, functor, static_cast<double*>(partial), total);
  }

 private:
  static constexpr index_t bytes_of(index_t values) {
    return values * static_cast<index_t>(sizeof(scalar));
  }
  static scalar* scalars(void* memory) { return static_cast<scalar*>(memory); }

  template <class T>
  void copy(matrix_view<T> from, cell* to) const {
    using source = std::remove_const_t<T>;
    for_each(from.size(),
             cuda::kernels::copy_converted<source, cell>{from.data, from.stride, to, from.cols});
  }

  /// An affine epilogue is the product's own; any other reads the product from scratch memory.
  template <class Epilogue>
  void multiply_operands(cuda::product_operand<operand> const& a,
                         cuda::product_operand<operand> const& b,
                         index_t rows,
                         index_t cols,
                         Epilogue const& epilogue) const {
    auto& products = context_->products();
    if constexpr (Epilogue::is_affine) {
      auto const result = epilogue.affine();
      using value = std::remove_pointer_t<decltype(result.y.data)>;
      cuda::product_problem<operand, value> const problem{
          a, b, result.bias, result.addend, result.y};
      if (products.can(problem)) return products.multiply(problem);
    }
    auto* const product = scalars(context_->scratch(bytes_of(rows * cols)));
    products.multiply(
        cuda::product_problem<operand, scalar>{a, b, nullptr, {}, {product, rows, cols}});
    cuda::launch_epilogue(context_->stream(), product, rows, cols, epilogue);
  }

  std::shared_ptr<cuda::context> context_;
};

inline namespace MAE_ISA {

/// An NVIDIA GPU. `float` trains, with TensorFloat-32 products where asked; `bfloat16` trains in
/// mixed precision, as on the processor; `double` is for checks. The host loads, varies and masks
/// the next batch while the GPU works. Copies share one stream and one set of threads.
template <class Operand>
class cuda_backend {
 public:
  using lane = cuda_lane<Operand>;
  using scalar = typename lane::scalar;
  template <class T>
  using buffer_of = cuda::device_buffer<T>;
  using buffer = buffer_of<scalar>;

  static constexpr bool uses_host_memory = false;
  /// Rows enough to fill a GPU, few enough that their activations fit its memory.
  static constexpr shard_limits shards{.rows = 1 << 14, .sums = 1};

  /// `threads` of the host, as for thread_pool: 0 takes one for every core that the process may
  /// use. Throws device_error when there is no such GPU, and in a child, by fork(), of a process
  /// that has used one.
  explicit cuda_backend(int threads = 0, cuda_options const& options = {})
      : cuda_backend(std::make_shared<thread_pool>(threads), options) {}
  /// Shares the host's threads.
  explicit cuda_backend(std::shared_ptr<thread_pool> threads, cuda_options const& options = {})
      : threads_(std::move(threads)), context_(std::make_shared<cuda::context>(options)) {}

  static constexpr char const* name() { return "cuda"; }
  char const* precision() const {
    return std::is_same_v<Operand, float> && context_->uses_tf32() ? "tf32"
                                                                   : precision_name<Operand>;
  }
  /// The GPU's name, as its maker calls it.
  std::string device_name() const { return context_->device_name(); }
  thread_pool& threads() const { return *threads_; }

  lane make_lane() const { return lane(context_); }
  lane make_team_lane() const { return make_lane(); }
  static constexpr int num_workers() { return 1; }
  template <class Body>
  void for_each(index_t count, Body&& body) const {
    std::lock_guard const turn(context_->turn());
    context_->select();
    for (index_t i = 0; i < count; ++i) body(i, 0);
  }
  int num_helpers() const { return threads_->size(); }
  template <class Body>
  void for_each_inside(index_t count, Body&& body) const {
    threads_->for_each(count, body);
  }

 private:
  std::shared_ptr<thread_pool> threads_;
  std::shared_ptr<cuda::context> context_;
};

static_assert(Backend<cuda_backend<float>> && Backend<cuda_backend<bfloat16>>);

}  // namespace MAE_ISA
}  // namespace mae
