#pragma once

#include <mae/backend/cuda/memory.cuh>
#include <mae/backend/cuda/status.cuh>
#include <mae/core/bfloat16.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <type_traits>

namespace mae::cuda {

/// The types that products have on a GPU.
template <class T>
inline constexpr cudaDataType_t data_type = CUDA_R_32F;
template <>
inline constexpr cudaDataType_t data_type<double> = CUDA_R_64F;
template <>
inline constexpr cudaDataType_t data_type<bfloat16> = CUDA_R_16BF;

/// What operands are summed in.
template <class Operand>
using sum_type = std::conditional_t<std::is_same_v<Operand, bfloat16>, float, Operand>;

/// An operand of a product, in row-major order, read as it lies or transposed.
template <class T>
struct product_operand {
  matrix_view<T const> values;
  bool transposed = false;
};

/// y = a b + addend + bias, where addend and bias may be missing.
template <class Operand, class Y>
struct product_problem {
  product_operand<Operand> a;  // (M, K)
  product_operand<Operand> b;  // (K, N)
  sum_type<Operand> const* bias = nullptr;
  matrix_view<Y const> addend = {};
  matrix_view<Y> y;  // (M, N)
};

/// All that decides how a product is computed: cuBLASLt's choice is made once for each.
struct product_shape {
  std::array<std::int64_t, 7> extents{};  // M, N, K, and the strides of a, b, addend and y
  std::array<int, 4> alignments{};        // of the same in bytes, as powers of two
  bool a_transposed = false;
  bool b_transposed = false;
  bool has_bias = false;
  bool has_addend = false;
  int operand_type = 0;
  int result_type = 0;

  friend auto operator<=>(product_shape const&, product_shape const&) = default;
};

/// cuBLASLt's products on one stream. It counts in columns, so that it sees every matrix of ours
/// transposed: y^T = b^T a^T.
class product_engine {
 public:
  product_engine(cudaStream_t stream, bool tf32)
      : stream_(stream), tf32_(tf32), workspace_(workspace_bytes) {
    check(cublasLtCreate(&handle_), "cublasLtCreate");
  }
  product_engine(product_engine const&) = delete;
  product_engine& operator=(product_engine const&) = delete;
  ~product_engine() {
    plans_.clear();
    cublasLtDestroy(handle_);
  }

  /// Whether the library has a product of this kind: bfloat16 results take no float bias.
  template <class Operand, class Y>
  bool can(product_problem<Operand, Y> const& problem) const {
    return problem.bias == nullptr || !std::is_same_v<Y, bfloat16>;
  }

  template <class Operand, class Y>
  void multiply(product_problem<Operand, Y> const& problem) {
    if (problem.y.size() == 0) return;
    plan const& chosen = plan_for(problem);
    if (problem.bias != nullptr)
      check(cublasLtMatmulDescSetAttribute(chosen.operation,
                                           CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                                           &problem.bias,
                                           sizeof(problem.bias)),
            "the bias of a product");
    using sum = sum_type<Operand>;
    sum const one{1};
    sum const beta = problem.addend.data == nullptr ? sum{0} : sum{1};
    void const* const addend = problem.addend.data == nullptr
                                   ? static_cast<void const*>(problem.y.data)
                                   : problem.addend.data;
    check(cublasLtMatmul(handle_,
                         chosen.operation,
                         &one,
                         problem.b.values.data,
                         chosen.b,
                         problem.a.values.data,
                         chosen.a,
                         &beta,
                         addend,
                         chosen.addend,
                         problem.y.data,
                         chosen.y,
                         &chosen.algorithm,
                         workspace_.data(),
                         workspace_bytes,
                         stream_),
          "cublasLtMatmul");
  }

 private:
  static constexpr std::size_t workspace_bytes = std::size_t{32} << 20U;

  struct plan {
    plan() = default;
    plan(plan const&) = delete;
    plan& operator=(plan const&) = delete;
    ~plan() {
      for (auto layout : {a, b, addend, y})
        if (layout != nullptr) cublasLtMatrixLayoutDestroy(layout);
      if (operation != nullptr) cublasLtMatmulDescDestroy(operation);
    }

    cublasLtMatmulDesc_t operation = nullptr;
    cublasLtMatrixLayout_t a = nullptr, b = nullptr, addend = nullptr, y = nullptr;
    cublasLtMatmulAlgo_t algorithm{};
  };

  /// The largest power of two, at most 256, that divides an address.
  static int alignment(void const* address) {
    auto const bits = reinterpret_cast<std::uintptr_t>(address) | 256U;
    return 1 << std::countr_zero(bits);
  }

  template <class Operand, class Y>
  static product_shape shape_of(product_problem<Operand, Y> const& p) {
    auto const& addend = p.addend.data == nullptr ? matrix_view<Y const>(p.y) : p.addend;
    index_t const depth = p.a.transposed ? p.a.values.rows : p.a.values.cols;
    return {.extents = {p.y.rows,
                        p.y.cols,
                        depth,
                        p.a.values.stride,
                        p.b.values.stride,
                        addend.stride,
                        p.y.stride},
            .alignments = {alignment(p.a.values.data),
                           alignment(p.b.values.data),
                           alignment(addend.data),
                           alignment(p.y.data)},
            .a_transposed = p.a.transposed,
            .b_transposed = p.b.transposed,
            .has_bias = p.bias != nullptr,
            .has_addend = p.addend.data != nullptr,
            .operand_type = data_type<Operand>,
            .result_type = data_type<Y>};
  }

  template <class Operand, class Y>
  plan const& plan_for(product_problem<Operand, Y> const& problem) {
    constexpr std::size_t most_plans = 4096;  // ragged batches have many shapes
    auto const shape = shape_of(problem);
    if (auto const found = plans_.find(shape); found != plans_.end()) return found->second;
    if (plans_.size() >= most_plans) plans_.clear();
    plan& made = plans_[shape];
    try {
      describe<Operand, Y>(shape, made);
      choose(shape, made);
    } catch (...) {
      plans_.erase(shape);
      throw;
    }
    return made;
  }

  template <class T>
  static void set(cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t name, T value) {
    check(cublasLtMatmulDescSetAttribute(operation, name, &value, sizeof(value)),
          "cublasLtMatmulDescSetAttribute");
  }

  template <class Operand, class Y>
  void describe(product_shape const& shape, plan& made) const {
    auto const [rows, cols, depth, a_stride, b_stride, addend_stride, y_stride] = shape.extents;
    using sum = sum_type<Operand>;
    cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
    if (std::is_same_v<Operand, float> && tf32_) compute = CUBLAS_COMPUTE_32F_FAST_TF32;
    if (std::is_same_v<Operand, double>) compute = CUBLAS_COMPUTE_64F;
    check(cublasLtMatmulDescCreate(&made.operation, compute, data_type<sum>),
          "cublasLtMatmulDescCreate");
    auto const turned = [](bool transposed) { return transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
    set(made.operation, CUBLASLT_MATMUL_DESC_TRANSA, turned(shape.b_transposed));
    set(made.operation, CUBLASLT_MATMUL_DESC_TRANSB, turned(shape.a_transposed));
    if (shape.has_bias) {
      set(made.operation, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
      set(made.operation, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, data_type<sum>);
    }
    // A row-major (rows, cols) is a column-major (cols, rows).
    auto const layout = [](cublasLtMatrixLayout_t& to,
                           cudaDataType_t type,
                           std::int64_t layout_rows,
                           std::int64_t layout_cols,
                           std::int64_t stride) {
      check(cublasLtMatrixLayoutCreate(&to,
                                       type,
                                       static_cast<std::uint64_t>(layout_cols),
                                       static_cast<std::uint64_t>(layout_rows),
                                       stride),
            "cublasLtMatrixLayoutCreate");
    };
    constexpr auto operand = data_type<Operand>;
    layout(made.a,
           operand,
           shape.a_transposed ? depth : rows,
           shape.a_transposed ? rows : depth,
           a_stride);
    layout(made.b,
           operand,
           shape.b_transposed ? cols : depth,
           shape.b_transposed ? depth : cols,
           b_stride);
    layout(made.addend, data_type<Y>, rows, cols, addend_stride);
    layout(made.y, data_type<Y>, rows, cols, y_stride);
  }

  void choose(product_shape const& shape, plan& made) const {
    cublasLtMatmulPreference_t preference = nullptr;
    check(cublasLtMatmulPreferenceCreate(&preference), "cublasLtMatmulPreferenceCreate");
    auto const prefer = [&](cublasLtMatmulPreferenceAttributes_t name, auto value) {
      check(cublasLtMatmulPreferenceSetAttribute(preference, name, &value, sizeof(value)),
            "cublasLtMatmulPreferenceSetAttribute");
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace_bytes);
    auto const [a, b, addend, y] = shape.alignments;
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, static_cast<std::uint32_t>(b));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, static_cast<std::uint32_t>(a));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, static_cast<std::uint32_t>(addend));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, static_cast<std::uint32_t>(y));
    cublasLtMatmulHeuristicResult_t found{};
    int count = 0;
    auto const status = cublasLtMatmulAlgoGetHeuristic(handle_,
                                                       made.operation,
                                                       made.b,
                                                       made.a,
                                                       made.addend,
                                                       made.y,
                                                       preference,
                                                       1,
                                                       &found,
                                                       &count);
    cublasLtMatmulPreferenceDestroy(preference);
    check(status, "cublasLtMatmulAlgoGetHeuristic");
    if (count == 0) check(CUBLAS_STATUS_NOT_SUPPORTED, "cublasLtMatmulAlgoGetHeuristic");
    made.algorithm = found.algo;
  }

  cudaStream_t stream_;
  bool tf32_;
  cublasLtHandle_t handle_ = nullptr;
  device_buffer<std::byte> workspace_;
  std::map<product_shape, plan> plans_;
};

}  // namespace mae::cuda
