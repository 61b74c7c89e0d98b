// SPDX-License-Identifier: Apache-2.0
// A CPU: cores with out-of-order windows (or none) and ports, a hierarchy of caches, off-chip
// memory. Plain data from a chip YAML of `kind: cpu`; what that leaves out stands in
// configs/defaults/cpu.yaml.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace siliscope {

/// What a micro-operation needs; vector and scalar ones of a class share their ports.
enum class MicroOpClass : std::uint8_t {
  kInteger,   ///< add, compare, logic, address
  kMultiply,  ///< of integers
  kBranch,
  kLoad,
  kStore,
  kFloatAdd,  ///< add, compare, convert
  kFloatMultiply,
  kFma,
  kDivide,   ///< and square root
  kShuffle,  ///< lanes change places
  kMatrix,   ///< a product of two tiles of a matrix unit
};
inline constexpr std::size_t kMicroOpClasses = 11;
inline constexpr std::array<const char*, kMicroOpClasses> kMicroOpClassNames = {
    "integer",        "multiply", "branch", "load",    "store", "float_add",
    "float_multiply", "fma",      "divide", "shuffle", "matrix"};

enum class BranchPredictor : std::uint8_t {
  kPerfect,
  kStatic,  ///< backward branches are taken, forward ones not
  kLoop,    ///< two bits, and the trips of a loop that repeat (Seznec, L-TAGE, JILP 2007)
  kTwoBit,  ///< a counter of two bits for each branch (Smith, ISCA 1981)
};

struct CpuCoreSpec {
  bool in_order = false;    ///< issues in program order
  std::int64_t width = 0;   ///< micro-operations that enter and leave the window in a cycle
  std::int64_t decode = 0;  ///< that are fetched and decoded in a cycle; 0 = width
  std::int64_t hardware_threads = 0;  ///< in use
  std::int64_t reorder_window = 0;
  std::int64_t scheduler = 0;  ///< micro-operations that wait for operands or ports
  std::int64_t load_queue = 0;
  std::int64_t store_queue = 0;
  BranchPredictor predictor = BranchPredictor::kTwoBit;
  std::int64_t mispredict_cycles = 0;  ///< from the branch's end to the next micro-operation
  std::int64_t vector_bytes = 0;       ///< of a register
  std::int64_t vector_registers = 0;
  /// Multiply-accumulates that an FMA does for each 32 bits of a register, by data type.
  std::map<std::string, double> macs_per_lane;
  double wide_clock_hz = 0;         ///< while the widest vectors multiply; 0 = the chip's clock
  bool memory_operands = false;     ///< a load and the operation that uses it take one slot
  std::int64_t load_bytes = 0;      ///< that a load port moves in a cycle
  std::int64_t store_bytes = 0;     ///< that commit to the L1 in a cycle
  std::int64_t forward_cycles = 0;  ///< from a store that waits to a load of the same place
  /// Port name -> classes that it takes, separated by spaces; one micro-operation a cycle each.
  std::map<std::string, std::string> ports;
  std::map<std::string, double> latency;   ///< of a class, in cycles; loads: of a hit in L1
  std::map<std::string, double> interval;  ///< cycles that a class keeps its port; default 1
};

struct CpuCacheSpec {
  std::int64_t size_bytes = 0;  ///< 0 = there is no such level
  std::int64_t ways = 8;
  std::int64_t latency_cycles = 14;         ///< of a load that hits, from the core and back
  double fill_bytes_per_cycle = 64;         ///< to the level above
  std::int64_t misses = 16;                 ///< lines that may be on their way from below
  std::int64_t prefetch_lines = 0;          ///< that a stream's prefetches run ahead; 0 = none
  std::int64_t prefetch_streams = 16;       ///< that are followed at a time
  std::int64_t prefetch_page_bytes = 4096;  ///< that prefetchers stay inside of
  bool random_replacement = false;  ///< any line of a set goes, else the least recently used
  bool hashed = false;  ///< the set is chosen by all bits of an address, not by the lowest
  bool victim = false;  ///< holds what the level above has dropped, else all
  bool retries_full_sets = false;  ///< what misses while all lines of a set are on their way
                                   ///< comes by itself, asked for anew
};

/// A unit that multiplies tiles (Intel AMX): rows x depth_bytes by depth_bytes x rows.
struct CpuMatrixSpec {
  std::int64_t rows = 0;  ///< of a tile, and columns of a result of 32 bits; 0 = there is none
  std::int64_t row_bytes = 64;
  std::map<std::string, double> dtypes;  ///< that it multiplies -> 1
};

/// Cores that share a last-level cache, and how lines travel between them.
struct CpuClusterSpec {
  std::int64_t cores = 0;            ///< of a cluster; 0 = all
  double read_bytes_per_s = 0;       ///< into a cluster, from memory and others; 0 = no limit
  double write_bytes_per_s = 0;      ///< out of a cluster
  std::int64_t transfer_cycles = 0;  ///< of a line from a core to another one of its cluster
  std::int64_t remote_transfer_cycles = 0;  ///< to one of another cluster
};

/// On which node's memory what the threads share lies; what is a thread's own lies on its node.
enum class NumaPlacement : std::uint8_t {
  kFirstTouch,  ///< tensors in as many parts as nodes, as threads that write them first divide them
  kInterleave,  ///< page by page in turn
  kOneNode,     ///< all on the first, as one thread that writes them first puts them
};

/// Sockets, or parts of one, with memory channels of their own.
struct CpuNumaSpec {
  std::int64_t nodes = 1;
  NumaPlacement placement = NumaPlacement::kFirstTouch;
  double link_bytes_per_s = 0;  ///< between two nodes, each way; 0 = no limit
  double link_latency_s = 0;    ///< one way
};

struct CpuTlbSpec {
  std::int64_t page_bytes = 0;
  std::int64_t l1_entries = 0;
  std::int64_t l2_entries = 0;
  std::int64_t l2_cycles = 0;    ///< to the second level
  std::int64_t walk_cycles = 0;  ///< of a page walk
};

enum class ConvAlgorithm : std::uint8_t {
  kDirect,
  kIm2col,    ///< windows are copied out, then multiplied
  kWinograd,  ///< tiles are transformed, multiplied, transformed back; where it can be done
};

/// How the matrix library of the chip's measurements divides a product, by data type. Its rows are
/// the columns of a row-major result.
struct CpuLibrarySpec {
  std::map<std::string, double> block_rows;     ///< of a packed block of the first operand
  std::map<std::string, double> block_columns;  ///< of the second operand
  std::map<std::string, double> block_depth;    ///< of the contraction
  std::map<std::string, double> tile_rows;      ///< of the micro-kernel
  std::map<std::string, double> tile_columns;   ///< at most, of the micro-kernel
  std::map<std::string, double> column_unroll;  ///< columns are packed in thirds of these groups
  std::int64_t columns_per_load = 1;            ///< values that a load brings, of 32 bits
  std::int64_t two_sums_columns = 0;  ///< tiles of so many have sums of even and odd steps
  std::int64_t unpacked_macs = 0;     ///< smaller products are not packed
  std::int64_t unroll = 1;            ///< steps of the contraction that a tile's loop writes out
  bool prefetches_result = false;     ///< when a tile begins
  bool prefetches_sources = false;    ///< a turn ahead of packing
  bool packs_along_rows = false;      ///< in the order of the source, not of the strips
  bool packs_squares = false;         ///< whole vectors are transposed in registers
  bool even_tiles = false;            ///< columns are divided evenly, rows that are left masked
  ConvAlgorithm convolution = ConvAlgorithm::kDirect;
  bool packs_weights_once = false;      ///< before the network runs, else in every call
  double call_s = 0;                    ///< of a call, before and after its work
  double product_call_s = 0;            ///< beyond that, where matrices are multiplied
  std::int64_t array_offset_bytes = 0;  ///< of the caller's arrays, past the begin of a line
};

struct CpuSpec {
  std::int64_t cores = 1;
  std::int64_t line_bytes = 0;
  CpuCoreSpec core;
  CpuCacheSpec l1, l2, l3;
  CpuTlbSpec tlb;
  CpuClusterSpec cluster;
  CpuNumaSpec numa;
  CpuMatrixSpec matrix;
  CpuLibrarySpec library;

  /// Multiply-accumulates of an FMA for each 32 bits of a register; 0 = there is none.
  double MacsPerLane(const std::string& dtype) const {
    const auto it = core.macs_per_lane.find(dtype);
    if (it != core.macs_per_lane.end()) return it->second;
    return dtype == "fp32" ? 1 : dtype == "fp64" && core.vector_bytes >= 8 ? 0.5 : 0;
  }
  bool MatrixMultiplies(const std::string& dtype) const {
    return matrix.rows > 0 && matrix.dtypes.count(dtype) > 0;
  }
  /// That it multiplies.
  std::vector<std::string> DataTypes() const {
    std::vector<std::string> types;
    for (const char* type : {"fp64", "fp32", "bf16", "fp16", "int8"}) {
      if (MacsPerLane(type) > 0 || MatrixMultiplies(type)) types.emplace_back(type);
    }
    return types;
  }
  std::int64_t Threads() const { return cores * core.hardware_threads; }
  /// Of a thread: each core has one before any has two.
  std::int64_t CoreOf(std::int64_t thread) const { return thread % cores; }
  std::int64_t CoresOfCluster() const { return cluster.cores > 0 ? cluster.cores : cores; }
  /// The node of a core.
  std::int64_t NodeOf(std::int64_t number) const { return number * numa.nodes / cores; }
  std::int64_t Clusters() const { return (cores + CoresOfCluster() - 1) / CoresOfCluster(); }
};

}  // namespace siliscope
