// SPDX-License-Identifier: Apache-2.0
// GEMM on the single-precision pipes: each thread keeps a tile of sums in registers and reads its
// rows of A and columns of B from shared memory one k ahead. Steps of 8 in k; the next step's
// operands come through registers, or by asynchronous copies where there are more than two stages.
#include <algorithm>

#include "workloads/lower/gpu/gemm_kernel.h"
#include "workloads/lower/gpu/warp_program_builder.h"

namespace siliscope {
namespace {

constexpr int kA = 16, kB = 48;    ///< registers of the operands, two sets of up to 16 each
constexpr std::int64_t kPart = 8;  ///< of k that is in shared memory at a time

class SimtGemmWriter {
 public:
  SimtGemmWriter(const MachineSpec& machine, const GemmProblem& problem, const GemmTile& tile,
                 GpuKernel* kernel)
      : p_(problem), t_(tile), kernel_(kernel) {
    async_ = machine.gpu.sm.async_copy && tile.stages > 2;
    opcode_ = problem.dtype == "fp64"   ? WarpOpcode::kFp64
              : problem.dtype == "fp16" ? WarpOpcode::kFp16
                                        : WarpOpcode::kFp32;
    const double bytes = static_cast<double>((t_.bm + t_.bn) * kPart) * p_.a_bytes;
    copies_ =
        std::max(1, static_cast<int>(bytes / static_cast<double>(kernel->warps * 512) + 0.99));
  }

  void Write() {
    AddAccesses();
    b_.Prologue(70);
    b_.Phase(0);
    const int ahead = async_ ? static_cast<int>(t_.stages - 1) : 1;
    for (int stage = 0; stage < ahead; ++stage) Copy(stage);
    if (async_) {
      b_.WithOperand(WarpOpcode::kAsyncWait, ahead - 1);
    } else {
      for (int copy = 0; copy < copies_; ++copy) Store(copy);
    }
    b_.WithOperand(WarpOpcode::kBarrier, 0);
    Operands(0);
    const std::int32_t loop = b_.Here();
    Part(ahead);
    b_.Loop(loop, static_cast<int>(t_.bk / kPart));
    b_.LoopPass(loop, 0);
    Epilogue();
    kernel_->roles = {{"main", kernel_->warps, b_.Finish()}};
    // Asynchronous copies need no registers on their way.
    const std::int64_t others = async_ ? 48 : 56;
    kernel_->registers_per_thread = std::min<std::int64_t>(255, t_.thread_m * t_.thread_n + others);
  }

 private:
  void AddAccesses() {
    const auto global = [&](std::uint16_t stream, bool k_contiguous, std::int64_t rows) {
      WarpAccess a;
      a.stream = stream;
      a.bytes_per_lane = k_contiguous && async_ ? 4 : 16;
      const std::int64_t lanes = k_contiguous ? kPart * 4 / a.bytes_per_lane : rows / 4;
      a.lanes_per_row = static_cast<std::uint8_t>(std::clamp<std::int64_t>(lanes, 1, 32));
      a.warp_rows = 32 / a.lanes_per_row;
      return b_.Access(a);
    };
    global_a_ = global(0, p_.a_k_contiguous, t_.bm);
    global_b_ = global(1, p_.b_k_contiguous, t_.bn);
    // The 32 threads of a warp stand 8 x 4 (or 4 x 8): lanes of a row want the same words.
    WarpAccess of_a;
    of_a.bytes_per_lane = 16;
    of_a.lanes_per_row = 4;
    of_a.lane_stride = 0;
    a_shared_ = b_.Access(Repeated(of_a, 4, 16));
    b_shared_ = b_.Access(Repeated(of_a, 8, 16));
    WarpAccess store;
    store.bytes_per_lane = 16;
    store_ = b_.Access(store);
    store.bytes_per_lane = 4;
    store_word_ = b_.Access(store);
    WarpAccess out;
    out.stream = 2;
    out.bytes_per_lane = 16;
    out.lanes_per_row =
        static_cast<std::uint8_t>(std::clamp<std::int64_t>(t_.bn / t_.warps_n / 4, 1, 32));
    global_c_ = b_.Access(out);
  }
  /// `lanes` neighbours at the same address, the next ones `bytes` further.
  static WarpAccess Repeated(WarpAccess a, int lanes, int bytes) {
    a.lanes_per_row = static_cast<std::uint8_t>(lanes);
    a.lane_stride = -1;
    a.row_stride = bytes;
    return a;
  }

  bool OfA(int copy) const {
    return copy < std::max<int>(1, static_cast<int>(copies_ * t_.bm / (t_.bm + t_.bn)));
  }
  void Copy(int ahead) {
    for (int i = 0; i < copies_; ++i) {
      const std::uint16_t access = OfA(i) ? global_a_ : global_b_;
      if (async_) {
        b_.Memory(WarpOpcode::kAsyncCopy, access, kNoRegister).ahead =
            static_cast<std::int16_t>(ahead);
      } else {
        b_.Memory(WarpOpcode::kLoadGlobal, access, 232 + 4 * (i % 5), 4).ahead =
            static_cast<std::int16_t>(ahead);
      }
    }
    if (async_) b_.Add(WarpOpcode::kAsyncCommit);
  }
  /// Into the other buffer. What lies along k is turned on its way: a word at a time.
  void Store(int copy) {
    const bool turned = OfA(copy) ? p_.a_k_contiguous : p_.b_k_contiguous;
    for (int word = 0; word < (turned ? 4 : 1); ++word) {
      b_.Memory(WarpOpcode::kStoreShared, turned ? store_word_ : store_,
                232 + 4 * (copy % 5) + word, turned ? 1 : 4);
    }
  }
  void Operands(std::int64_t set) {
    for (int i = 0; i < t_.thread_m / 4; ++i) {
      b_.Memory(WarpOpcode::kLoadShared, a_shared_, kA + static_cast<int>(set) * 16 + 4 * i, 4);
    }
    for (int i = 0; i < t_.thread_n / 4; ++i) {
      b_.Memory(WarpOpcode::kLoadShared, b_shared_, kB + static_cast<int>(set) * 16 + 4 * i, 4);
    }
  }
  /// kPart of k: the next part's operands are on their way while this one is multiplied.
  void Part(int ahead) {
    const std::int64_t each = std::max<std::int64_t>(1, kPart / t_.slices);
    for (std::int64_t k = 0; k < each; ++k) {
      if (k == 0) Copy(ahead);
      Operands((k + 1) % 2);
      Products(k % 2, !async_ && k + 1 == each);
      b_.Overhead(3, 4);
    }
    if (async_) b_.WithOperand(WarpOpcode::kAsyncWait, ahead - 1);
    b_.WithOperand(WarpOpcode::kBarrier, 0);
    b_.Overhead(4, 8);
  }
  /// With `stores`, what was loaded for the next part goes to shared memory between the products.
  void Products(std::int64_t set, bool stores) {
    const int at = static_cast<int>(set) * 16;
    int stored = 0;
    for (int m = 0; m < t_.thread_m; ++m) {
      const int due = (m + 1) * copies_ / static_cast<int>(t_.thread_m);
      for (; stores && stored < due; ++stored) Store(stored);
      for (int n = 0; n < t_.thread_n; ++n) {
        // Sums lie in the other bank than the column they are made with; A's row is reused.
        const int sum = 81 + (m * static_cast<int>(t_.thread_n) + n) % 150;
        WarpInstruction& in = b_.Add(opcode_, sum, kA + at + m, kB + at + n, sum);
        if (n > 0) in.reuse = 1;
      }
    }
  }
  void Epilogue() {
    b_.Phase(1);
    const std::int32_t loop = b_.Here();
    const auto values = static_cast<int>(
        std::max<std::int64_t>(4, t_.thread_m * t_.thread_n / kernel_->passes[1].steps));
    for (int i = 0; i < values * (1 + p_.epilogue_operations); ++i) {
      b_.Add(opcode_, 16 + i % 16, 81 + i % 150);
    }
    for (int i = 0; i < values / 4; ++i) {
      b_.Memory(WarpOpcode::kStoreShared, store_, 16 + 4 * (i % 4), 4);
    }
    if (t_.slices > 1) b_.WithOperand(WarpOpcode::kBarrier, 0);
    for (int i = 0; i < values / 4; ++i) {
      b_.Memory(WarpOpcode::kLoadShared, store_, 16 + 4 * (i % 4), 4);
    }
    for (int i = 0; i < values / 4; ++i) {
      b_.Memory(WarpOpcode::kStoreGlobal, global_c_, 16 + 4 * (i % 4), 4);
    }
    b_.Overhead(4, 8);
    b_.LoopPass(loop, 1);
  }

  const GemmProblem& p_;
  const GemmTile& t_;
  GpuKernel* kernel_;
  WarpProgramBuilder b_;
  WarpOpcode opcode_ = WarpOpcode::kFp32;
  bool async_ = false;
  int copies_ = 1;
  std::uint16_t global_a_ = 0, global_b_ = 0, global_c_ = 0, a_shared_ = 0, b_shared_ = 0,
                store_ = 0, store_word_ = 0;
};

}  // namespace

void WriteSimtGemm(const MachineSpec& machine, const GemmProblem& problem, const GemmTile& tile,
                   GpuKernel* kernel) {
  SimtGemmWriter(machine, problem, tile, kernel).Write();
}

}  // namespace siliscope
