// SPDX-License-Identifier: Apache-2.0
// GEMM on the Tensor Cores of single warps (Volta to Ampere): operands go through shared memory in
// a ring of stages, by asynchronous copies where the chip has them, else through registers; each
// warp loads fragments for the next instructions while the present ones run.
#include <algorithm>

#include "workloads/lower/gpu/gemm_kernel.h"
#include "workloads/lower/gpu/warp_program_builder.h"

namespace siliscope {
namespace {

constexpr int kFragments = 24;  ///< first register of the operand fragments

struct Shape {
  std::int64_t m_instructions, n_instructions, k_instructions;  ///< of a warp and stage
  std::int64_t m, n, k;                                         ///< of an instruction
  std::int64_t a_loads, b_loads;  ///< 16-byte loads of a warp for one k
};

Shape ShapeOf(const MachineSpec& machine, const GemmProblem& p, const GemmTile& tile) {
  const std::int64_t warp_m = tile.bm / tile.warps_m, warp_n = tile.bn / tile.warps_n;
  Shape s{};
  const MmaShape shape = machine.gpu.tensor_core.ShapeOf(std::max(0.5, p.a_bytes));
  s.m = shape.m, s.n = shape.n;
  s.k = InstructionK(p, shape.k);
  s.m_instructions = std::max<std::int64_t>(1, warp_m / s.m);
  s.n_instructions = std::max<std::int64_t>(1, warp_n / s.n);
  s.k_instructions = std::max<std::int64_t>(1, tile.bk / s.k);
  const auto loads = [&](std::int64_t rows, double bytes) {
    const double total = static_cast<double>(rows * s.k) * bytes;
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(total / 512 + 0.99));
  };
  s.a_loads = loads(warp_m, p.a_bytes);
  s.b_loads = loads(warp_n, p.b_bytes);
  return s;
}

class TensorGemmWriter {
 public:
  TensorGemmWriter(const MachineSpec& machine, const GemmProblem& problem, const GemmTile& tile,
                   GpuKernel* kernel)
      : machine_(machine), p_(problem), t_(tile), kernel_(kernel), s_(ShapeOf(machine, p_, t_)) {
    const std::int64_t threads = kernel->warps * 32;
    a_copies_ = Copies(t_.bm, p_.a_bytes, threads);
    b_copies_ = Copies(t_.bn, p_.b_bytes, threads);
    acc_ = static_cast<int>(kFragments + 2 * 4 * (s_.a_loads + s_.b_loads));
    results_ = static_cast<int>(t_.bm * t_.bn / threads);
    const bool fp64 = p_.dtype == "fp64";
    accumulators_ = fp64 ? 2 * results_ : kernel->half_sums ? (results_ + 1) / 2 : results_;
    const auto steps = static_cast<int>(machine.gpu.tensor_core.steps);
    steps_ = kernel->half_sums ? std::max(1, steps / 2) : steps;
    // Accumulator registers beyond the file's are spilled by nobody: such tiles are not offered.
  }

  void Write() {
    async_ = machine_.gpu.sm.async_copy;
    AddAccesses();
    b_.Prologue(60);
    b_.Phase(0);
    FirstStages();
    const std::int32_t loop = b_.Here();
    for (std::int64_t kk = 0; kk < s_.k_instructions; ++kk) Products(kk);
    EndStep();
    b_.LoopPass(loop, 0);
    if (t_.stream_k) PartialSums();
    Epilogue();
    kernel_->roles = {{"main", kernel_->warps, b_.Finish()}};
    const int scratch = async_ ? 0 : static_cast<int>(4 * (a_copies_ + b_copies_));
    kernel_->registers_per_thread = std::min(
        255, 24 + 2 * 4 * static_cast<int>(s_.a_loads + s_.b_loads) + accumulators_ + scratch);
  }

 private:
  std::int64_t Copies(std::int64_t rows, double bytes, std::int64_t threads) const {
    const double total = static_cast<double>(rows * t_.bk) * bytes;
    return std::max<std::int64_t>(
        1, static_cast<std::int64_t>(total / static_cast<double>(threads * 16) + 0.99));
  }
  /// Rows of `row_bytes` contiguous bytes in 16-byte lanes.
  WarpAccess GlobalAccess(std::uint16_t stream, bool k_contiguous, std::int64_t rows,
                          double bytes) const {
    WarpAccess a;
    a.stream = stream;
    const double row =
        (k_contiguous ? static_cast<double>(t_.bk) : static_cast<double>(rows)) * bytes;
    const auto lanes = static_cast<std::int64_t>(row / 16);
    a.lanes_per_row = static_cast<std::uint8_t>(std::clamp<std::int64_t>(lanes, 1, 32));
    a.bytes_per_lane = 16;
    a.warp_rows = 32 / a.lanes_per_row;
    return a;
  }

  void AddAccesses() {
    // Each copy of a warp takes further rows.
    WarpAccess a = GlobalAccess(0, p_.a_k_contiguous, t_.bm, p_.a_bytes);
    WarpAccess b = GlobalAccess(1, p_.b_k_contiguous, t_.bn, p_.b_bytes);
    for (std::int64_t i = 0; i < copies(); ++i) {
      WarpAccess& access = i < a_copies_ ? a : b;
      copy_access_.push_back(b_.Access(access));
      access.row += kernel_->warps * access.warp_rows;
    }
    WarpAccess shared;
    shared.bytes_per_lane = 16;
    shared_ = b_.Access(shared);
    store_access_ = b_.Band(2, static_cast<double>(t_.bn) * p_.c_bytes, kernel_->warps, Stores());
  }
  /// Of a warp, in a step of the epilogue.
  int Values() const {
    return std::max(1, results_ / static_cast<int>(kernel_->passes.back().steps));
  }
  int Stores() const {
    return std::max(1, static_cast<int>(Values() * 32 * p_.c_bytes / 512 + 0.99));
  }

  std::int64_t copies() const { return a_copies_ + b_copies_; }
  void Copy(std::int64_t i, int ahead) {
    const std::uint16_t access = copy_access_[static_cast<std::size_t>(i)];
    WarpInstruction& in =
        async_ ? b_.Memory(WarpOpcode::kAsyncCopy, access, kNoRegister)
               : b_.Memory(WarpOpcode::kLoadGlobal, access, Staging(static_cast<int>(i)), 4);
    in.ahead = static_cast<std::int16_t>(ahead);
  }
  void CopyStage(int ahead) {
    for (std::int64_t i = 0; i < copies(); ++i) Copy(i, ahead);
    if (async_) b_.Add(WarpOpcode::kAsyncCommit);
  }
  int Staging(int copy) const { return std::min(250, acc_ + accumulators_ + 4 * copy); }

  void StoreStage() {
    for (std::int64_t i = 0; i < a_copies_ + b_copies_; ++i) {
      b_.Memory(WarpOpcode::kStoreShared, shared_, Staging(static_cast<int>(i)), 4);
    }
  }

  void FirstStages() {
    const int ahead = async_ ? static_cast<int>(t_.stages - 1) : 1;
    for (int stage = 0; stage < ahead; ++stage) CopyStage(stage);
    if (async_) {
      b_.WithOperand(WarpOpcode::kAsyncWait, ahead - 1);
    } else {
      StoreStage();
    }
    b_.WithOperand(WarpOpcode::kBarrier, 0);
    Fragments(0);
  }
  void EndStep() {
    b_.Overhead(4, 8);
    if (!async_) return;
    b_.Add(WarpOpcode::kAsyncCommit);
    b_.WithOperand(WarpOpcode::kAsyncWait, static_cast<int>(t_.stages - 2));
    b_.WithOperand(WarpOpcode::kBarrier, 0);
  }

  int FragmentA(std::int64_t set, std::int64_t i) const {
    return static_cast<int>(kFragments + 4 * (set * s_.a_loads + i));
  }
  int FragmentB(std::int64_t set, std::int64_t i) const {
    return static_cast<int>(kFragments + 8 * s_.a_loads + 4 * (set * s_.b_loads + i));
  }
  std::int64_t fragments() const { return s_.a_loads + s_.b_loads; }
  void Fragment(std::int64_t i, std::int64_t set) {
    const int reg = i < s_.a_loads ? FragmentA(set, i) : FragmentB(set, i - s_.a_loads);
    b_.Memory(WarpOpcode::kLoadShared, shared_, reg, 4);
  }
  void Fragments(std::int64_t set) {
    for (std::int64_t i = 0; i < fragments(); ++i) Fragment(i, set);
  }
  /// The products of one k; the next k's fragments and this k's share of the next stage's copies
  /// are spread between them, so that neither pipe waits for the other. Loads to registers all
  /// leave with the first k; they are stored before the last, whose products hide the barrier
  /// (CUTLASS, mma_pipelined.h).
  void Products(std::int64_t kk) {
    if (!async_ && kk == s_.k_instructions - 1) {
      StoreStage();
      b_.WithOperand(WarpOpcode::kBarrier, 0);
    }
    const std::int64_t set = kk % 2;
    const std::int64_t parts = async_ ? s_.k_instructions : 1;
    const std::int64_t first_copy = std::min(kk, parts) * copies() / parts;
    const std::int64_t last_copy = std::min(kk + 1, parts) * copies() / parts;
    const std::int64_t moves = fragments() + last_copy - first_copy;
    const std::int64_t products = s_.m_instructions * s_.n_instructions;
    std::int64_t moved = 0, multiplied = 0;
    const auto move_up_to = [&](std::int64_t count) {
      for (; moved < std::min(count, moves); ++moved) {
        if (moved < fragments()) {
          Fragment(moved, 1 - set);
        } else {
          Copy(first_copy + moved - fragments(), async_ ? static_cast<int>(t_.stages - 1) : 1);
        }
      }
    };
    const std::int64_t per_instruction =
        std::max<std::int64_t>(1, accumulators_ / (s_.m_instructions * s_.n_instructions));
    for (std::int64_t i = 0; i < s_.m_instructions; ++i) {
      for (std::int64_t j = 0; j < s_.n_instructions; ++j) {
        const int acc = std::min<int>(
            254, acc_ + static_cast<int>((i * s_.n_instructions + j) * per_instruction));
        const std::int64_t a = i * s_.a_loads / s_.m_instructions;
        const std::int64_t b = j * s_.b_loads / s_.n_instructions;
        Multiply(acc, static_cast<int>(per_instruction), FragmentA(set, a), FragmentB(set, b));
        ++multiplied;
        move_up_to((multiplied * moves + products - 1) / products);
      }
    }
    move_up_to(moves);
  }

  /// One product, as so many instructions as the Tensor Core has steps for it.
  void Multiply(int acc, int accumulators, int a, int b) {
    for (int step = 0; step < steps_; ++step) {
      const int sums = std::min(254, acc + step * accumulators / steps_);
      WarpInstruction& in = b_.Add(WarpOpcode::kMma, sums, a, b, sums);
      in.macs = static_cast<float>(static_cast<double>(s_.m * s_.n * s_.k) * MultipliedShare(p_) /
                                   steps_);
      in.contraction = static_cast<std::int16_t>(static_cast<double>(s_.k) * MultipliedShare(p_));
    }
  }

  /// Sums as they lie in the registers, to the workspace or added from it, a band a step.
  void PartialSums() {
    const int moves = std::max(1, Values() / 4);
    const auto accesses = b_.Band(static_cast<std::uint16_t>(kernel_->streams.size() - 1),
                                  static_cast<double>(4 * t_.bn), kernel_->warps, moves);
    const auto access = [&](int move) { return accesses[static_cast<std::size_t>(move)]; };
    b_.Phase(1);
    std::int32_t loop = b_.Here();
    for (int i = 0; i < moves; ++i) {
      b_.Memory(WarpOpcode::kStoreGlobal, access(i), std::min(250, acc_ + 4 * i), 4);
    }
    b_.Overhead(4, 8);
    b_.LoopPass(loop, 1);
    b_.Phase(2);
    loop = b_.Here();
    const int sets = 2 * static_cast<int>(fragments());  // registers of the operands
    for (int i = 0; i < moves; ++i) {
      b_.Memory(WarpOpcode::kLoadGlobal, access(i), kFragments + 4 * (i % sets), 4);
    }
    for (int i = 0; i < 4 * moves; ++i) {
      const int sum = std::min(254, acc_ + i);
      b_.Add(WarpOpcode::kFp32, sum, kFragments + i % (4 * sets), sum);
    }
    b_.Overhead(4, 8);
    b_.LoopPass(loop, 2);
  }

  /// What the results are added to or multiplied by, in the same places.
  void LoadBesideResults() {
    for (const std::uint16_t stream : kernel_->passes.back().loads) {
      for (const std::uint16_t store : store_access_) {
        WarpAccess access = b_.AccessAt(store);
        access.stream = stream;
        b_.Memory(WarpOpcode::kLoadGlobal, b_.Access(access), kFragments + 16, 4);
      }
    }
  }

  int last_pass() const { return static_cast<int>(kernel_->passes.size()) - 1; }

  /// A band of each warp's rows a step: convert, through shared memory to whole rows, store.
  void Epilogue() {
    b_.Phase(last_pass());
    const std::int32_t loop = b_.Here();
    const int values = Values();
    LoadBesideResults();
    if (p_.dtype == "fp64") {  // times alpha
      for (int i = 0; i < values; ++i) {
        b_.Add(WarpOpcode::kFp64, kFragments + i % 16, std::min(254, acc_ + 2 * i));
      }
    } else {
      for (int i = 0; i < std::max(1, values / 2); ++i) {
        b_.Add(WarpOpcode::kFp32, kFragments + i % 16, std::min(254, acc_ + 2 * i));
      }
    }
    const int operations = p_.epilogue_operations * values;
    for (int i = 0; i < operations; ++i) {
      b_.Add(WarpOpcode::kFp32, kFragments + i % 16, kFragments + i % 16);
    }
    const int stores = Stores();
    for (int i = 0; i < stores; ++i) {
      b_.Memory(WarpOpcode::kStoreShared, shared_, kFragments + i % 16, 4);
    }
    b_.WithOperand(WarpOpcode::kBarrier, 0);
    for (int i = 0; i < stores; ++i) {
      b_.Memory(WarpOpcode::kLoadShared, shared_, kFragments + 4 * (i % 8), 4);
    }
    for (int i = 0; i < stores; ++i) {
      b_.Memory(WarpOpcode::kStoreGlobal, store_access_[static_cast<std::size_t>(i)],
                kFragments + 4 * (i % 8), 4);
    }
    b_.Overhead(4, 8);
    b_.LoopPass(loop, last_pass());
  }

  const MachineSpec& machine_;
  const GemmProblem& p_;
  const GemmTile& t_;
  GpuKernel* kernel_;
  Shape s_;
  WarpProgramBuilder b_;
  bool async_ = true;
  std::int64_t a_copies_ = 1, b_copies_ = 1;
  int acc_ = 0, accumulators_ = 0;  ///< registers
  int results_ = 0;                 ///< of a thread
  int steps_ = 1;
  std::vector<std::uint16_t> copy_access_, store_access_;
  std::uint16_t shared_ = 0;
};

}  // namespace

void WriteTensorGemm(const MachineSpec& machine, const GemmProblem& problem, const GemmTile& tile,
                     GpuKernel* kernel) {
  TensorGemmWriter(machine, problem, tile, kernel).Write();
}

}  // namespace siliscope
