// SPDX-License-Identifier: Apache-2.0
// An NPU: cores with systolic arrays, scratchpads, accumulators, a vector unit, DMA engines and
// command queues. Lowering reads it to choose mappings, models read it to build the units.
// Meaning, unit and range of every field stand in sim/config/npu_fields.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace siliscope {

/// Which operand stays in the processing elements. Input stationary is weight stationary with the
/// operands exchanged. Searched: the array can run each, and every product takes the fastest.
enum class Dataflow { kWeightStationary, kOutputStationary, kInputStationary, kSearched };

struct SystolicArraySpec {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t count = 1;  ///< arrays a core
  Dataflow dataflow = Dataflow::kWeightStationary;
  bool weight_double_buffer = true;
  bool overlap_fill_drain = true;
  std::int64_t weight_rows_per_cycle = 1;
  std::int64_t weight_switch_cycles = 0;
  std::int64_t push_latency_cycles = 0;
  std::int64_t row_granule = 1;
  /// Multiply-accumulates of an element in a cycle by operand types ("int8", "int8xint16", "bf16").
  std::map<std::string, double> macs_per_element;
};

struct ScratchpadSpec {
  std::int64_t size_bytes = 0;  ///< 0 = there is none
  std::int64_t banks = 1;
  std::int64_t bank_width_bytes = 0;
  std::int64_t read_ports = 1;   ///< reads a bank serves in a cycle
  std::int64_t write_ports = 1;  ///< writes a bank serves in a cycle

  double ReadBytesPerCycle() const {
    return static_cast<double>(banks * bank_width_bytes * read_ports);
  }
  double WriteBytesPerCycle() const {
    return static_cast<double>(banks * bank_width_bytes * write_ports);
  }
};

struct AccumulatorSpec {
  std::int64_t rows = 0;  ///< 0 = partial sums live in the output scratchpad
  std::int64_t width_bits = 32;
};

struct VectorUnitSpec {
  std::int64_t lanes = 0;
  std::int64_t sublanes = 1;
  std::int64_t alus = 1;
  std::int64_t latency_cycles = 0;
  std::int64_t load_bytes_per_cycle = 0;
  std::int64_t store_bytes_per_cycle = 0;
  std::int64_t transpose_rows_per_cycle = 1;
  /// Cycles a vector of lanes x sublanes takes by function; what is not named takes one.
  std::map<std::string, double> function_cycles;
};

/// Functions that a vector unit may name cycles for.
inline std::vector<std::string> VectorFunctionNames() {
  return {"add",  "compare", "convert",    "copy",  "erf",    "exp", "log",  "logic", "max", "min",
          "move", "mul",     "reciprocal", "round", "select", "sin", "sqrt", "sub",   "tanh"};
}

struct DmaSpec {
  std::int64_t engines = 1;
  std::int64_t outstanding = 8;
  double latency_s = 0;
  double bytes_per_cycle = 0;
  std::int64_t chunk_bytes = 65536;
};

struct CommandQueueSpec {
  std::int64_t issue_cycles = 1;
  std::int64_t depth = 64;
};

struct HostLinkSpec {
  double bandwidth_bytes_per_s = 0;  ///< 0 = no host transfers are modelled
  double latency_s = 0;
  bool streams_weights = false;
};

struct SharedMemorySpec {
  std::int64_t size_bytes = 0;
  double bandwidth_bytes_per_s = 0;
  double latency_s = 0;
};

/// Order of the loops over blocks of a matrix product, outermost first.
enum class LoopOrder { kSearched, kMnk, kNmk, kKmn, kKnm };

/// How the chip's compiler maps operators: policies, not efficiencies.
struct NpuMappingSpec {
  std::int64_t buffers = 2;
  double resident_fraction = 0.75;
  bool wait_for_whole_operand = true;
  bool im2col_in_hardware = true;
  bool vector_gemv = false;
  std::int64_t output_block_rows = 1024;
  std::int64_t images_at_a_time = 0;  ///< 0 = the whole batch
  std::int64_t parameter_cache_bytes = 0;
  LoopOrder loop_order = LoopOrder::kSearched;
  std::int64_t block_m = 0, block_n = 0, block_k = 0;  ///< 0 = searched
  double synchronise_s = 0;
  double launch_s = 0;
};

struct NpuSpec {
  std::int64_t cores = 1;
  SystolicArraySpec array;
  ScratchpadSpec unified;  ///< one scratchpad for all, or the three below
  ScratchpadSpec input;
  ScratchpadSpec weight;
  ScratchpadSpec output;
  AccumulatorSpec accumulators;
  std::int64_t weight_fifo_tiles = 0;  ///< 0 = weights come from a scratchpad
  VectorUnitSpec vector;
  DmaSpec dma;
  CommandQueueSpec queues;
  SharedMemorySpec shared_memory;
  HostLinkSpec host_link;
  NpuMappingSpec mapping;
};

}  // namespace siliscope
