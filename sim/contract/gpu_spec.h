// SPDX-License-Identifier: Apache-2.0
// A SIMT GPU: streaming multiprocessors (SMs) with warp schedulers, pipes, Tensor Cores, shared
// memory and L1; an L2 cache in partitions; off-chip memory; how kernels are launched; power.
// Meaning, unit and range of every field stand in sim/config/gpu_fields.cpp; what a chip's file
// leaves out, in configs/defaults/gpu.yaml.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace siliscope {

enum class WarpScheduler { kGreedyThenOldest, kLooseRoundRobin, kTwoLevel };

/// What becomes of the paths of a warp whose lanes part.
enum class Divergence {
  kStack,        ///< one runs to the end, then the next
  kIndependent,  ///< one runs until it waits for memory or others, then another (Volta on)
  /// The lanes of all warps of a CTA are gathered into as few warps a path as can be, each in its
  /// own place (thread block compaction, Fung and Aamodt, HPCA 2011; no product does it).
  kCompaction,
};

/// A pipe of a sub-core. `interval` is between two warp instructions (32 lanes).
struct GpuPipeSpec {
  std::int64_t latency_cycles = 0;
  std::int64_t interval_cycles = 0;
};

struct RegisterFileSpec {
  std::int64_t registers = 0;  ///< 32 bits each, of an SM
  std::int64_t granule = 0;    ///< allocated to a warp in multiples of this
  std::int64_t most_per_thread = 0;
  std::int64_t banks = 0;
  std::int64_t reads_per_bank = 0;  ///< operands of a warp that a bank delivers in a cycle
  bool reuse_cache = false;
  /// Instructions of a sub-core that may wait for operands; 0 = operands are read at issue.
  std::int64_t collectors = 0;
};

struct SharedMemorySmSpec {
  std::int64_t size_bytes = 0;          ///< of an SM
  std::int64_t most_per_cta_bytes = 0;  ///< of a CTA
  std::int64_t reserved_per_cta_bytes = 0;
  std::int64_t banks = 0;
  std::int64_t bank_width_bytes = 0;
  std::int64_t latency_cycles = 0;
  std::int64_t wide_lanes = 0;  ///< of a 16-byte access that are looked at together
};

struct L1Spec {
  std::int64_t size_bytes = 0;  ///< together with the shared memory where `unified`
  bool unified = false;
  std::int64_t line_bytes = 0;
  std::int64_t sector_bytes = 0;
  std::int64_t ways = 0;
  std::int64_t latency_cycles = 0;
  std::int64_t mshrs = 0;                  ///< sectors that may be on their way
  std::int64_t fill_bytes_per_cycle = 0;   ///< from the crossbar
  std::int64_t store_bytes_per_cycle = 0;  ///< to the crossbar
};

struct InstructionCacheSpec {
  std::int64_t l0_bytes = 0;  ///< of a sub-core
  std::int64_t l1_bytes = 0;
  std::int64_t instruction_bytes = 0;
  std::int64_t l0_miss_cycles = 0;
  std::int64_t prefetch_lines = 0;  ///< lines of 128 B fetched ahead on a miss
};

/// Two levels of an SM; behind them lies the L2.
struct ConstantCacheSpec {
  std::int64_t l1_bytes = 0, l1_line_bytes = 0, l1_latency_cycles = 0;
  std::int64_t l2_bytes = 0, l2_line_bytes = 0, l2_latency_cycles = 0;
  std::int64_t ways = 0;
};

struct TlbSpec {
  std::int64_t page_bytes = 0;
  std::int64_t l1_entries = 0;      ///< of an SM
  std::int64_t l1_miss_cycles = 0;  ///< to the second level
  std::int64_t l2_entries = 0;      ///< of the chip
  std::int64_t walk_cycles = 0;     ///< of a page walk
  std::int64_t walkers = 0;
};

/// Rows, columns and contraction of a matrix instruction of one warp.
struct MmaShape {
  std::int64_t m = 0, n = 0, k = 0;
};

struct TensorCoreSpec {
  std::int64_t generation = 0;  ///< 0 = none, 1 Volta, 2 Turing, 3 Ampere, 4 Hopper
  MmaShape shape;               ///< of two-byte operands
  MmaShape fp64_shape;
  std::int64_t steps = 0;           ///< instructions that one product is issued as (Volta)
  std::int64_t latency_cycles = 0;  ///< to a dependent instruction
  /// Rows and columns that share an operand read from the registers; 0 = all of the instruction.
  std::int64_t shared_m = 0, shared_n = 0;
  /// Multiply-accumulates an SM does in a cycle, dense, by data type.
  std::map<std::string, double> macs_per_cycle;
  bool sparse = false;                 ///< 2:4 structured sparsity
  double warp_level_rate = 1;          ///< of one warp's own instructions, against warp groups
  std::int64_t group_tail_cycles = 0;  ///< warp-group MMA: last operand to result
  std::int64_t group_outstanding = 0;

  /// Of operands of `bytes` each.
  MmaShape ShapeOf(double bytes) const {
    if (bytes > 4) return fp64_shape;
    const double k = static_cast<double>(shape.k) * 2 / bytes;
    return {shape.m, shape.n, k > 1 ? static_cast<std::int64_t>(k) : 1};
  }
};

struct SmSpec {
  std::int64_t subcores = 0;
  std::int64_t max_warps = 0;
  std::int64_t max_ctas = 0;
  WarpScheduler scheduler = WarpScheduler::kGreedyThenOldest;
  bool dual_issue = false;
  Divergence divergence = Divergence::kStack;
  RegisterFileSpec registers;
  GpuPipeSpec fp32, fp16, fp64, integer, sfu;
  bool integer_in_fp32 = false;                 ///< one pipe for both
  std::int64_t load_store_interval_cycles = 0;  ///< of a sub-core's load and store instructions
  std::int64_t load_store_queue = 0;            ///< instructions of a sub-core that may wait
  std::int64_t branch_cycles = 0;               ///< from a branch to the warp's next instruction
  std::int64_t barrier_cycles = 0;              ///< from the last arrival to the first issue
  SharedMemorySmSpec shared_memory;
  L1Spec l1;
  InstructionCacheSpec instruction_cache;
  ConstantCacheSpec constant_cache;
  TlbSpec tlb;
  bool async_copy = false;               ///< cp.async
  bool tensor_memory_access = false;     ///< TMA, mbarriers and clusters
  std::int64_t bulk_issue_cycles = 0;    ///< of one TMA instruction
  std::int64_t bulk_latency_cycles = 0;  ///< of its copy, beyond that of a load
  std::int64_t mbarrier_cycles = 0;      ///< from the last arrival to the waiting warp
  std::int64_t peer_latency_cycles = 0;  ///< of a load from another SM's shared memory
};

struct L2Spec {
  std::int64_t size_bytes = 0;
  std::int64_t partitions = 0;
  std::int64_t slices = 0;  ///< of all partitions
  std::int64_t slice_bytes_per_cycle = 0;
  std::int64_t fetch_bytes = 0;             ///< that a miss fetches from memory
  std::int64_t atomic_interval_cycles = 0;  ///< between two operations on one address
  std::int64_t candidates = 0;  ///< lines that a replacement looks at, to take the longest unused
  double clock_hz = 0;          ///< 0 = the chip's clock
  std::int64_t near_latency_cycles = 0;  ///< of a load that hits, unloaded, L1 passed
  std::int64_t far_latency_cycles =
      0;  ///< of a line that the other partition holds, where there is one
  double link_bytes_per_cycle = 0;  ///< between the partitions, a direction; 0 = no limit
  double gpc_bytes_per_cycle = 0;   ///< from the crossbar to a GPC; 0 = no limit

  /// What all SMs together can read in a cycle.
  double ReadBytesPerCycle(std::int64_t gpcs) const {
    const auto all = static_cast<double>(slices * slice_bytes_per_cycle);
    const double ports = static_cast<double>(gpcs) * gpc_bytes_per_cycle;
    return ports > 0 && ports < all ? ports : all;
  }
};

/// The way to the host's memory. 0 bytes a second = without limit.
struct GpuHostLinkSpec {
  double bytes_per_s = 0;                  ///< each way, on the wire
  std::int64_t payload_bytes = 0;          ///< of a packet
  std::int64_t overhead_bytes = 0;         ///< header, sequence number and checksum of a packet
  double latency_s = 1e-6;                 ///< there and back
  double setup_s = 1e-6;                   ///< of an engine, once a copy
  std::int64_t outstanding_bytes = 65536;  ///< of a copy, requested and not yet there
  std::int64_t copy_engines = 2;
};

/// What others than the program's kernels move in the chip's memory meanwhile.
struct GpuNeighbourSpec {
  double read_bytes_per_s = 0, write_bytes_per_s = 0;
  bool any() const { return read_bytes_per_s > 0 || write_bytes_per_s > 0; }
};

struct GpuLaunchSpec {
  double graph_s = 1.3e-6;   ///< from the end of a kernel to the start of the next in a graph
  double stream_s = 2.6e-6;  ///< the same for launches back to back in a stream
  std::int64_t cta_start_cycles = 200;  ///< from the CTA scheduler to the first instruction
  std::int64_t ctas_per_cycle = 0;      ///< that the CTA scheduler places
};

/// Energy of counted events; power = idle + events / time. 0 = never the limit.
struct GpuPowerSpec {
  double idle_w = 0;
  double tensor_j_per_mac = 0;  ///< fp16; scales with the operand width
  double fp32_j_per_mac = 0;
  double l2_j_per_byte = 0;
  double dram_j_per_byte = 0;
  double shared_j_per_byte = 0;
  double voltage_exponent = 0;  ///< energy of an event goes with (clock / boost)^this
};

/// What is known of the choices of the matrix library that a chip is measured with.
struct KernelLibrarySpec {
  /// The Tensor Core tile that it takes, whatever the last wave wastes, once a product has so many
  /// of them, unless its contraction is long enough to be split. 0 = the fastest kernel always.
  std::int64_t large_tile_rows = 0, large_tile_columns = 0;
  std::int64_t large_tile_from_ctas = 0;
  std::int64_t large_tile_below_k = 0;
  std::int64_t split_from_k = 0;  ///< shorter contractions are never split over CTAs
  /// Shorter contractions are not sliced among the threads of a CTA of single precision.
  std::int64_t sliced_from_k = 0;
  /// Tiles of its unsliced kernels of single precision ("128x64 64x64"), and those that batched
  /// products take; empty = any.
  std::string simt_tiles, simt_batched_tiles;
  bool simt_split = true;      ///< the same may be split over CTAs
  bool stream_k = false;       ///< products may be shared out by steps instead of tiles
  bool cluster_split = false;  ///< splits may be added up inside of a cluster
};

struct GpuSpec {
  std::int64_t sms = 0;
  std::int64_t gpcs = 1;  ///< SMs are divided over them as evenly as they can be
  std::int64_t sms_per_tpc = 0;
  SmSpec sm;
  TensorCoreSpec tensor_core;
  L2Spec l2;
  GpuLaunchSpec launch;
  GpuHostLinkSpec host_link;
  GpuNeighbourSpec neighbour;
  GpuPowerSpec power;
  KernelLibrarySpec library;
  double base_clock_hz = 0;
  double lock_clock_hz = 0;  ///< 0 = boost, as the power limit allows
};

}  // namespace siliscope
