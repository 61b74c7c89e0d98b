// SPDX-License-Identifier: Apache-2.0
// Matrix-product kernels of a GPU: what is to be multiplied, the tiles that a library offers, and
// the warp programs of each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/contract/gpu_program.h"
#include "sim/contract/machine_spec.h"

namespace siliscope {

/// A place of a convolution's window.
struct WindowStep {
  std::int64_t row = 0;   ///< pixels from the origin
  std::int64_t part = 0;  ///< of the pixels that a stride leaves between those of one place
};

/// C [m x n] = A [m x k] B [k x n], batched. Operands are tensors of the program.
struct GemmProblem {
  std::int64_t m = 0, n = 0, k = 0, batch = 1;
  std::uint32_t a = 0, b = 0, c = 0;
  bool a_k_contiguous = true;  ///< k runs along a row of A's tensor
  bool b_k_contiguous = true;
  bool b_shared = false;  ///< one B for all batches
  std::int64_t b_batch_divisor = 1;
  double a_bytes = 2, b_bytes = 2, c_bytes = 2;  ///< of an element
  /// B is 2:4 sparse: `b_bytes` is then that of its kept half and of the two bits that say where
  /// each of them was, for an element of the whole.
  bool b_sparse = false;
  bool half_sums = false;                        ///< accumulated in half precision
  std::string dtype;                             ///< that the multipliers work in
  int epilogue_operations = 0;                   ///< an element
  std::vector<std::uint32_t> epilogue_operands;  ///< read tile by tile beside C (residuals)
  bool weights_cold = true;
  /// Implicit GEMM: rows of A are pixels, steps are windows and channels.
  std::vector<WindowStep> a_steps;
  std::int64_t a_rows_numerator = 1, a_rows_denominator = 1;  ///< rows of A's tensor a row of C
  std::int64_t a_step_k = 0;  ///< contraction that one of those steps covers
};

/// Of k that a thread of a single-precision kernel multiplies between two barriers.
inline constexpr std::int64_t kSimtPart = 8;

/// A kernel of the library.
struct GemmTile {
  std::int64_t bm = 0, bn = 0, bk = 0, stages = 2;
  std::int64_t warps_m = 1, warps_n = 1;
  std::int64_t split = 1;
  bool cluster_split = false;  ///< the splits are a cluster, which adds them up
  bool stream_k = false;       ///< one CTA an SM, steps shared out evenly
  std::int64_t cluster_rows = 1, cluster_columns = 1;
  std::int64_t thread_m = 8, thread_n = 8;  ///< SIMT: of a thread
  std::int64_t slices = 1;                  ///< SIMT: of k inside of a CTA
  enum class Kind { kSimt, kTensor, kGroup, kGemv } kind = Kind::kTensor;
};

/// Bytes of A and B in shared memory that a stage of a tile holds, for `k` of the contraction.
inline double StageBytes(const GemmProblem& p, std::int64_t bm, std::int64_t bn, std::int64_t k) {
  return static_cast<double>(bm * k) * p.a_bytes + static_cast<double>(bn * k) * p.b_bytes;
}
/// What is multiplied of the whole product.
inline double MultipliedShare(const GemmProblem& p) { return p.b_sparse ? 0.5 : 1; }
/// k of one instruction, for one of dense operands that takes as long.
inline std::int64_t InstructionK(const GemmProblem& p, std::int64_t dense_k) {
  return p.b_sparse ? 2 * dense_k : dense_k;
}

/// All tiles that may run a problem on a machine, splits and clusters included.
std::vector<GemmTile> GemmTiles(const MachineSpec& machine, const GemmProblem& problem);

/// The kernel of a tile, with its warp programs and its grid. The output of a split product is
/// `workspace`.
GpuKernel MakeGemmKernel(const MachineSpec& machine, const GemmProblem& problem,
                         const GemmTile& tile, std::uint32_t workspace);

/// Seconds that a tile takes by a closed form, for the choice among tiles only.
double EstimateGemmSeconds(const MachineSpec& machine, const GemmProblem& problem,
                           const GemmTile& tile);

// One a kind of kernel; they fill in roles, registers and shared memory.
void WriteTensorGemm(const MachineSpec& machine, const GemmProblem& problem, const GemmTile& tile,
                     GpuKernel* kernel);
void WriteGroupGemm(const MachineSpec& machine, const GemmProblem& problem, const GemmTile& tile,
                    GpuKernel* kernel);
void WriteSimtGemm(const MachineSpec& machine, const GemmProblem& problem, const GemmTile& tile,
                   GpuKernel* kernel);
GpuKernel MakeGemvKernel(const MachineSpec& machine, const GemmProblem& problem,
                         const GemmTile& tile);

}  // namespace siliscope
