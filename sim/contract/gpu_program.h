// SPDX-License-Identifier: Apache-2.0
// The instruction set between the compiler and a GPU: kernels made of thread blocks (CTAs) whose
// warps run programs, and launches of kernels on streams.
//
// Both zooms run the same kernel. The cycle zoom steps the warp programs. The tile zoom plays the
// passes of a CTA: steps that load rectangles of tensors into a ring, compute, and store.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace siliscope {

enum class WarpOpcode : std::uint8_t {
  kFp32,  ///< FADD, FMUL, FFMA, compare, convert
  kFp16,  ///< two 16-bit lanes a register
  kFp64,
  kInteger,
  kSfu,           ///< exp2, reciprocal, square root, sine
  kUniform,       ///< uniform datapath: once a warp
  kMma,           ///< one warp's matrix product, operands in registers
  kGroupMma,      ///< a warp group's matrix product, operands in shared memory
  kGroupMmaWait,  ///< until at most `operand` of them are outstanding
  kLoadGlobal,
  kStoreGlobal,
  kAtomic,
  kLoadShared,
  kStoreShared,
  kLoadPeer,      ///< shared memory of another CTA of the cluster (distributed shared memory)
  kLoadConstant,  ///< from byte `operand`; with an access, another word for each lane
  kAsyncCopy,     ///< cp.async: global to shared memory, past the registers
  kAsyncCommit,
  kAsyncWait,       ///< until at most `operand` committed groups are outstanding
  kBulkCopy,        ///< TMA: a rectangle to shared memory, arriving on mbarrier ring `operand`
  kBulkStore,       ///< TMA: a rectangle from shared memory
  kBarrier,         ///< barrier `operand` of `trips` warps; 0 = of the CTA
  kClusterBarrier,  ///< of `trips` warps of each CTA of the cluster
  kArrive,          ///< on the warp's next stage of mbarrier ring `operand`
  kWait,            ///< for the next phase of mbarrier ring `operand`
  kLoop,            ///< back to instruction `operand`, until the loop's trips are done
  kDiverge,  ///< splits the warp into `operand` paths that run the same code up to kReconverge
  kBranch,   ///< of each thousand lanes `trips` go on, the others to instruction `operand`
  kElse,     ///< ends the path of those that went on: to the kReconverge at `operand`
  kReconverge,
  kPhase,  ///< marks the start of pass `operand`; takes no time
  kExit,
};

/// As traces show it.
inline const char* WarpOpcodeName(WarpOpcode op) {
  static constexpr const char* kNames[] = {"fp32",
                                           "fp16",
                                           "fp64",
                                           "integer",
                                           "special function",
                                           "uniform",
                                           "mma",
                                           "wgmma",
                                           "wgmma wait",
                                           "load global",
                                           "store global",
                                           "atomic",
                                           "load shared",
                                           "store shared",
                                           "load peer",
                                           "load constant",
                                           "cp.async",
                                           "cp.async commit",
                                           "cp.async wait",
                                           "bulk copy",
                                           "bulk store",
                                           "barrier",
                                           "cluster barrier",
                                           "arrive",
                                           "wait",
                                           "loop",
                                           "diverge",
                                           "branch",
                                           "else",
                                           "reconverge",
                                           "phase",
                                           "exit"};
  return kNames[static_cast<std::size_t>(op)];
}

inline constexpr std::uint8_t kNoRegister = 255;
inline constexpr std::uint16_t kNoAccess = 0xffff;
inline constexpr std::uint16_t kNoStream = 0xffff;

struct WarpInstruction {
  WarpOpcode op = WarpOpcode::kExit;
  std::uint8_t destination = kNoRegister;
  std::uint8_t destinations = 1;  ///< registers written from `destination` on
  std::array<std::uint8_t, 3> sources = {kNoRegister, kNoRegister, kNoRegister};
  std::uint8_t reuse = 0;            ///< bit i: source i is kept in, or comes from, the reuse cache
  std::uint8_t lanes = 32;           ///< active
  bool first_warp_only = false;      ///< in the other warps of the role its predicate is off
  std::uint16_t access = kNoAccess;  ///< index into WarpProgram's accesses
  std::int16_t pass = -1;            ///< kLoop: trips are the steps of this pass; else `trips`
  std::int32_t operand = 0;
  std::int32_t trips = 0;        ///< kLoop, kBarrier
  std::int16_t ahead = 0;        ///< global memory: of the step this many steps later
  float macs = 0;                ///< of the whole warp (kMma, kGroupMma)
  std::int16_t contraction = 0;  ///< the same: products that are added to each result
};

/// Which addresses the lanes of one instruction touch: rows of consecutive lanes.
struct WarpAccess {
  std::uint16_t stream = kNoStream;  ///< global memory: index into the kernel's streams
  std::uint8_t lanes_per_row = 32;   ///< consecutive lanes along a row
  std::uint8_t bytes_per_lane = 4;
  std::int32_t lane_stride = 0;  ///< bytes between lanes of a row; 0 = bytes_per_lane, -1 = none
  std::int32_t row_stride = 0;   ///< shared memory: bytes between rows; global: rows
  std::int64_t offset = 0;       ///< of the first lane: bytes; global: inside of the row
  std::int64_t row = 0;          ///< global: first row, inside of the stream's rectangle
  std::int64_t warp_rows = 0;    ///< global: rows from one warp to the next
  std::int64_t warp_bytes = 0;   ///< from one warp to the next
  std::int64_t trip_rows = 0;    ///< global: from one trip of the loop around it to the next
  std::int64_t trip_bytes = 0;   ///< the same, inside of the row
  bool wraps = false;            ///< global: what passes a row's end goes on in the next row
  bool past_l1 = false;          ///< global loads that are cached in L2 only (ld.global.cg)
  bool swizzled = false;         ///< shared memory: 16-byte chunks XOR row, against conflicts
  std::int64_t bulk_bytes = 0;   ///< kBulkCopy: in all
};

struct WarpProgram {
  std::vector<WarpInstruction> instructions;
  std::vector<WarpAccess> accesses;
};

/// Warps of a CTA that run the same program; roles of a warp-specialised kernel.
struct WarpRole {
  std::string name;  ///< "producer", "consumer"
  std::int64_t warps = 0;
  WarpProgram program;
};

/// A tensor in the off-chip memory, as rows of bytes.
struct GpuTensor {
  std::string name;
  std::int64_t address = 0;
  std::int64_t rows = 1;
  std::int64_t row_bytes = 0;
  bool weight = false;
};

/// The rectangle of a tensor that a CTA touches in a step.
struct OperandStream {
  std::uint32_t tensor = 0;
  std::int64_t rows = 0, row_bytes = 0;  ///< at most; cut at the tensor's edge
  /// Origin: sums of these times the CTA's tile row i, tile column j, batch, split and step.
  std::int64_t row_i = 0, row_j = 0, row_batch = 0, row_step = 0, row_split = 0;
  std::int64_t byte_i = 0, byte_j = 0, byte_batch = 0, byte_step = 0;
  std::int64_t batch_divisor = 1;  ///< heads that share an operand
  /// Steps may jump (windows of a convolution): offsets by step, added to the origin.
  std::vector<std::pair<std::int64_t, std::int64_t>> step_offsets;
  bool stays_in_l1 = false;             ///< all CTAs load the same, through L1
  bool scattered = false;               ///< rows lie anywhere in the tensor, as an index names them
  bool shared_by_cluster_rows = false;  ///< the same for all i of a cluster: multicast
  bool shared_by_cluster_columns = false;  ///< the same for all j of a cluster
};

/// A part of a CTA's life: steps that load, compute and store.
struct KernelPass {
  std::int64_t steps = 1;
  std::int64_t ring = 1;                     ///< loads that may be under way or unused, in steps
  std::vector<std::uint16_t> loads, stores;  ///< streams
  /// Loads go through registers, which are free for the next step's once a step begins; else a
  /// stage of the ring is free once its step has ended.
  bool through_registers = false;
  /// Loads go to stages of shared memory, the last of which is in use: a step's own is free once
  /// the step after it begins, as it has passed the barrier or released it to the producer by then.
  bool staged = false;
  bool joins = true;            ///< at its end the CTA waits for its last warp
  bool split_steps = false;     ///< steps are divided over the grid's splits
  bool bulk = false;            ///< loads are bulk copies
  bool through_l1 = false;      ///< plain loads, which leave their lines in L1
  bool rereads = false;         ///< loads what an earlier pass has loaded
  std::int32_t touches = 0;     ///< with `through_l1`: number of the step's lines among the CTA's
  std::int64_t peer_bytes = 0;  ///< that a CTA loads in a step from others of its cluster
  bool Loads() const { return !loads.empty() || peer_bytes > 0; }
};

/// CTAs of a grid: tiles of i x j, batches and splits, and the order in which they start.
struct GridMap {
  std::int64_t rows = 1, columns = 1, batch = 1, splits = 1;
  std::int64_t swizzle = 1;    ///< tile rows that are walked together before the next column
  bool columns_first = false;  ///< the inner loop runs over columns
  std::int64_t Ctas() const { return rows * columns * batch * splits; }
};

/// An mbarrier of each stage of a ring. Waits and arrivals of a warp go round the stages.
struct MbarrierRing {
  std::int64_t stages = 1;
  std::int64_t arrivals = 1;       ///< that complete a phase; bulk copies arrive with their data
  bool complete_at_start = false;  ///< the first wait on each stage passes ("empty" barriers)
  std::int64_t void_arrivals = 0;  ///< a warp's first arrivals that come before a stage was used
  /// Arrivals that complete a phase where the CTAs of a cluster copy for each other; 0 = as many.
  std::int64_t cluster_arrivals = 0;
};

/// A launch that is no kernel: an engine copies its first stream's tensor over the host link.
enum class HostCopy : std::uint8_t { kNone, kToChip, kFromChip };

struct GpuKernel {
  std::string name;  ///< as a profiler shows it, with its tile
  HostCopy host_copy = HostCopy::kNone;
  std::int64_t warps = 0;
  std::int64_t registers_per_thread = 32;
  std::int64_t shared_bytes = 0;
  std::int64_t cluster_rows = 1, cluster_columns = 1;
  std::int64_t cluster_splits = 1;  ///< splits of one tile that make a cluster
  bool persistent = false;          ///< one CTA a slot walks the tiles of the grid
  /// Stream-K (Osama et al., PPoPP 2023): so many CTAs share the steps of all tiles evenly. Its
  /// passes are the product, partial sums stored, partial sums of others added, and the results.
  /// Who has a tile's first step waits for the others' sums and writes the results. 0 = whole
  /// tiles.
  std::int64_t stream_k_ctas = 0;
  bool cycle_zoom = false;  ///< always: its time depends on what single loads find in L1
  GridMap grid;
  std::vector<OperandStream> streams;
  std::vector<KernelPass> passes;
  std::vector<WarpRole> roles;
  std::vector<MbarrierRing> mbarriers;
  std::string dtype;
  bool tensor_core = false;
  bool half_sums = false;   ///< Tensor Cores accumulate in half precision
  bool sparse = false;      ///< one operand is 2:4 sparse: half of its elements are multiplied
  double macs_per_cta = 0;  ///< executed, padding included
  double fp32_per_cta = 0;  ///< other operations
  double useful_share = 1;  ///< of macs_per_cta: the rest is padding
  std::string tile;         ///< "256x128x64, 3 stages"
};

struct GpuLaunch {
  std::uint32_t kernel = 0;
  std::uint32_t op = 0;              ///< index into Program::operators
  std::uint32_t stream = 0;          ///< launches of one stream run in order
  std::vector<std::uint32_t> after;  ///< launches of other streams that must have ended
};

/// How a program is launched, and what it finds in the caches.
enum class LaunchMode { kGraph, kKernel, kStream, kEager };

struct GpuProgram {
  std::vector<GpuTensor> tensors;
  std::vector<GpuKernel> kernels;
  std::vector<GpuLaunch> launches;
  LaunchMode mode = LaunchMode::kGraph;
  bool cold_weights = false;       ///< weights are evicted from the caches before the run
  std::vector<double> dispatch_s;  ///< of the host, by launch (eager)
};

}  // namespace siliscope
