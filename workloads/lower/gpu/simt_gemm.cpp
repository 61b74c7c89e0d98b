// SPDX-License-Identifier: Apache-2.0
// GEMM on the single-precision pipes: each thread keeps a tile of sums in registers and reads its
// rows of A and columns of B from shared memory one k ahead. 8 of k are in shared memory at a time,
// of each slice where threads share the contraction: a part of a step whose operands come through
// registers, or a stage of a ring that asynchronous copies fill.
#include <algorithm>

#include "workloads/lower/gpu/gemm_kernel.h"
#include "workloads/lower/gpu/warp_program_builder.h"

namespace siliscope {
namespace {

constexpr int kA = 16, kB = 48;  ///< registers of the operands, two sets of up to 16 each

class SimtGemmWriter {
 public:
  SimtGemmWriter(const MachineSpec& machine, const GemmProblem& problem, const GemmTile& tile,
                 GpuKernel* kernel)
      : p_(problem), t_(tile), kernel_(kernel) {
    async_ = machine.gpu.sm.async_copy && tile.stages > 2;
    opcode_ = problem.dtype == "fp64"   ? WarpOpcode::kFp64
              : problem.dtype == "fp16" ? WarpOpcode::kFp16
                                        : WarpOpcode::kFp32;
  }

  void Write() {
    AddAccesses();
    b_.Prologue(70);
    b_.Phase(0);
    const int ahead = async_ ? static_cast<int>(t_.stages - 1) : 1;
    for (int stage = 0; stage < ahead; ++stage) CopyStage(stage);
    if (async_) {
      b_.WithOperand(WarpOpcode::kAsyncWait, ahead - 1);
    } else {
      for (std::size_t i = 0; i < copies_.size(); ++i) Store(i);
    }
    b_.WithOperand(WarpOpcode::kBarrier, 0);
    Operands(0);
    const std::int32_t loop = b_.Here();
    Part(ahead);
    if (parts() > 1) b_.Loop(loop, static_cast<int>(parts()));
    b_.LoopPass(loop, 0);
    Epilogue();
    kernel_->roles = {{"main", kernel_->warps, b_.Finish()}};
    // Asynchronous copies need no registers on their way.
    const std::int64_t others = async_ ? 48 : 56;
    kernel_->registers_per_thread = std::min<std::int64_t>(255, t_.thread_m * t_.thread_n + others);
  }

 private:
  /// Of a step.
  std::int64_t parts() const { return t_.bk / (kSimtPart * t_.slices); }
  /// A warp's instruction that copies some of a part's operand.
  struct Copy {
    std::uint16_t access;
    bool turned;  ///< lies along k: turned on its way to shared memory, a word at a time
  };
  void AddCopies(std::uint16_t stream, bool k_contiguous, std::int64_t length, double bytes) {
    const std::int64_t part_k = kSimtPart * t_.slices;
    WarpAccess a;
    a.stream = stream;
    if (parts() > 1) {
      (k_contiguous ? a.trip_bytes : a.trip_rows) =
          k_contiguous ? static_cast<std::int64_t>(static_cast<double>(part_k) * bytes) : part_k;
    }
    a.bytes_per_lane = k_contiguous && async_ ? static_cast<std::uint8_t>(bytes) : 16;
    const std::int64_t in_row = std::max<std::int64_t>(
        1, static_cast<std::int64_t>(static_cast<double>(k_contiguous ? part_k : length) * bytes /
                                     a.bytes_per_lane));
    const std::int64_t rows = k_contiguous ? length : part_k;
    a.lanes_per_row = static_cast<std::uint8_t>(std::min<std::int64_t>(in_row, 32));
    a.warp_rows = 32 / a.lanes_per_row;
    for (; a.row < rows; a.row += kernel_->warps * a.warp_rows) {
      for (a.offset = 0; a.offset < in_row * a.bytes_per_lane; a.offset += 32 * a.bytes_per_lane) {
        copies_.push_back({b_.Access(a), k_contiguous && !async_});
      }
    }
  }
  void AddAccesses() {
    AddCopies(0, p_.a_k_contiguous, t_.bm, p_.a_bytes);
    AddCopies(1, p_.b_k_contiguous, t_.bn, p_.b_bytes);
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
    global_c_ = b_.Band(2, static_cast<double>(t_.bn) * p_.c_bytes, kernel_->warps,
                        std::max<std::int64_t>(1, Values() / 4 / t_.slices));
  }
  /// Results of a thread in a step of the epilogue.
  int Values() const {
    return static_cast<int>(
        std::max<std::int64_t>(4, t_.thread_m * t_.thread_n / kernel_->passes[1].steps));
  }
  /// `lanes` neighbours at the same address, the next ones `bytes` further.
  static WarpAccess Repeated(WarpAccess a, int lanes, int bytes) {
    a.lanes_per_row = static_cast<std::uint8_t>(lanes);
    a.lane_stride = -1;
    a.row_stride = bytes;
    return a;
  }

  /// Copies from `first` up to `last`.
  void CopySome(int ahead, std::size_t first, std::size_t last) {
    for (std::size_t i = first; i < last; ++i) {
      const auto reg = 232 + 4 * static_cast<int>(i % 5);
      WarpInstruction& in = async_
                                ? b_.Memory(WarpOpcode::kAsyncCopy, copies_[i].access, kNoRegister)
                                : b_.Memory(WarpOpcode::kLoadGlobal, copies_[i].access, reg, 4);
      in.ahead = static_cast<std::int16_t>(ahead);
    }
  }
  void CopyStage(int ahead) {
    CopySome(ahead, 0, copies_.size());
    if (async_) b_.Add(WarpOpcode::kAsyncCommit);
  }
  /// Into the other buffer.
  void Store(std::size_t copy) {
    const bool turned = copies_[copy].turned;
    for (int word = 0; word < (turned ? 4 : 1); ++word) {
      b_.Memory(WarpOpcode::kStoreShared, turned ? store_word_ : store_,
                232 + 4 * static_cast<int>(copy % 5) + word, turned ? 1 : 4);
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
  /// The next part's operands are on their way while this one's are multiplied. Asynchronous copies
  /// are spread over the k, and the barrier comes before the last, whose products hide it (CUTLASS,
  /// mma_multistage.h); loads to registers all leave with the first (mma_pipelined.h).
  void Part(int ahead) {
    for (std::int64_t k = 0; k < kSimtPart; ++k) {
      if (async_) {
        const auto share = [&](std::int64_t part) {
          return copies_.size() * static_cast<std::size_t>(part) / kSimtPart;
        };
        CopySome(ahead, share(k), share(k + 1));
      } else if (k == 0) {
        CopyStage(ahead);
      }
      if (async_ && k + 1 == kSimtPart) {
        b_.Add(WarpOpcode::kAsyncCommit);
        b_.WithOperand(WarpOpcode::kAsyncWait, ahead - 1);
        b_.WithOperand(WarpOpcode::kBarrier, 0);
      }
      Operands((k + 1) % 2);
      Products(k % 2, !async_ && k + 1 == kSimtPart);
      b_.Overhead(3, 4);
    }
    if (!async_) b_.WithOperand(WarpOpcode::kBarrier, 0);
    b_.Overhead(4, 8);
  }
  /// With `stores`, what was loaded for the next part goes to shared memory between the products.
  void Products(std::int64_t set, bool stores) {
    const int at = static_cast<int>(set) * 16;
    std::size_t stored = 0;
    for (int m = 0; m < t_.thread_m; ++m) {
      const std::size_t due =
          static_cast<std::size_t>(m + 1) * copies_.size() / static_cast<std::size_t>(t_.thread_m);
      for (; stores && stored < due; ++stored) Store(stored);
      for (int n = 0; n < t_.thread_n; ++n) {
        // Sums lie in the other bank than the column they are made with; A's row is reused.
        const int sum = 81 + (m * static_cast<int>(t_.thread_n) + n) % 150;
        WarpInstruction& in = b_.Add(opcode_, sum, kA + at + m, kB + at + n, sum);
        if (n > 0) in.reuse = 1;
      }
    }
  }
  /// A step's results go through shared memory, so that whole rows are stored. Where asynchronous
  /// copies fill the stages all warps meet before and after they have written them (CUTLASS,
  /// epilogue.h); else those of a warp are its own.
  void Epilogue() {
    b_.Phase(1);
    const std::int32_t loop = b_.Here();
    const int values = Values();
    for (int i = 0; i < values * (1 + p_.epilogue_operations); ++i) {
      b_.Add(opcode_, 16 + i % 16, 81 + i % 150);
    }
    if (async_) b_.WithOperand(WarpOpcode::kBarrier, 0);
    for (int i = 0; i < values / 4; ++i) {
      b_.Memory(WarpOpcode::kStoreShared, store_, 16 + 4 * (i % 4), 4);
    }
    if (async_ || t_.slices > 1) b_.WithOperand(WarpOpcode::kBarrier, 0);
    for (int i = 0; i < values / 4; ++i) {
      b_.Memory(WarpOpcode::kLoadShared, store_, 16 + 4 * (i % 4), 4);
    }
    // Each slice adds up and writes its part of the results.
    for (int i = 0; t_.slices > 1 && i < values; ++i) b_.Add(opcode_, 16 + i % 16, 16 + i % 16);
    for (std::size_t i = 0; i < global_c_.size(); ++i) {
      b_.Memory(WarpOpcode::kStoreGlobal, global_c_[i], 16 + 4 * static_cast<int>(i % 4), 4);
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
  std::vector<Copy> copies_;  ///< of a warp and step
  std::vector<std::uint16_t> global_c_;
  std::uint16_t a_shared_ = 0, b_shared_ = 0, store_ = 0, store_word_ = 0;
};

}  // namespace

void WriteSimtGemm(const MachineSpec& machine, const GemmProblem& problem, const GemmTile& tile,
                   GpuKernel* kernel) {
  SimtGemmWriter(machine, problem, tile, kernel).Write();
}

}  // namespace siliscope
