#pragma once

#include <mae/backend/cuda/memory.cuh>
#include <mae/backend/cuda/status.cuh>
#include <mae/core/types.hpp>

#include <cuda_runtime_api.h>

#include <cstddef>
#include <map>
#include <span>
#include <utility>
#include <vector>

namespace mae::cuda {

/// Records work as CUDA graphs and replays them: hundreds of kernels are then launched at once. A
/// recording holds addresses, so that all are forgotten when memory was allocated since.
class recorder {
 public:
  recorder() = default;
  recorder(recorder const&) = delete;
  recorder& operator=(recorder const&) = delete;

  /// Runs body() on `stream`. It is called the first time, which may allocate, recorded the second
  /// time that the key is seen, and replayed from then on.
  template <class Body>
  void run(cudaStream_t stream, std::span<index_t const> key, Body const& body) {
    constexpr std::size_t most = 64;  // ragged batches have many shapes
    if (allocations() != allocations_ || recordings_.size() >= most) recordings_.clear();
    allocations_ = allocations();
    auto const [place, is_new] =
        recordings_.try_emplace(std::vector<index_t>(key.begin(), key.end()));
    if (is_new) return body();
    recording& mine = place->second;
    if (mine.graph == nullptr) mine.graph = record(stream, body);
    check(cudaGraphLaunch(mine.graph, stream), "cudaGraphLaunch");
  }

 private:
  struct recording {
    recording() = default;
    recording(recording const&) = delete;
    recording& operator=(recording const&) = delete;
    ~recording() {
      if (graph != nullptr) cudaGraphExecDestroy(graph);
    }

    cudaGraphExec_t graph = nullptr;
  };

  template <class Body>
  static cudaGraphExec_t record(cudaStream_t stream, Body const& body) {
    cudaGraph_t graph = nullptr;
    check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal),
          "cudaStreamBeginCapture");
    try {
      body();
    } catch (...) {
      cudaStreamEndCapture(stream, &graph);
      if (graph != nullptr) cudaGraphDestroy(graph);
      throw;
    }
    check(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
    cudaGraphExec_t made = nullptr;
    auto const status = cudaGraphInstantiate(&made, graph, 0);
    cudaGraphDestroy(graph);
    check(status, "cudaGraphInstantiate");
    return made;
  }

  std::map<std::vector<index_t>, recording> recordings_;
  index_t allocations_ = 0;
};

}  // namespace mae::cuda
