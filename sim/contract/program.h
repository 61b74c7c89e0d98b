// SPDX-License-Identifier: Apache-2.0
// The instruction set between compiler and hardware: what each queue of each chip executes. It is
// immutable and shared. Labels (operator names, ONNX nodes, mapping texts) are for the reader: a
// program with its labels removed takes exactly the same time.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sim/contract/cpu_program.h"
#include "sim/contract/data_type.h"
#include "sim/contract/gpu_program.h"

namespace siliscope {

inline constexpr std::uint32_t kNone = ~std::uint32_t{0};

/// An operator of the network, as the program's commands refer to it. Labels and nominal work only.
struct OperatorInfo {
  std::string name;
  std::string kind;                       ///< "conv", "matmul", ...
  std::string call;                       ///< the function it applies ("gelu"), else its kind
  std::vector<std::string> source_nodes;  ///< ONNX nodes it came from
  std::string shape;                      ///< readable: "n8 c3 h224 w224 -> ..."
  std::string mapping;                    ///< tiles, dataflow, placement
  double nominal_flops = 0;               ///< 2 x MAC, plus elementwise operations
  double macs = 0;
  double executed_flops = 0;  ///< on the matrix units, padding excluded
  std::int64_t weight_bytes = 0;
  std::int64_t input_bytes = 0;
  std::int64_t output_bytes = 0;
  std::vector<std::uint32_t> producers;  ///< operators whose results it reads
};

/// Where a tensor lives while the program runs.
struct TensorPlacement {
  std::string name;
  std::string role;   ///< weight, activation, state
  std::string place;  ///< dram, shared_memory, scratchpad, host
  std::int64_t bytes = 0;
  std::uint32_t first_operator = 0;
  std::uint32_t last_operator = 0;
};

enum class NpuOpcode : std::uint8_t {
  kLaunch,       ///< fixed time before a program
  kLoad,         ///< memory space -> scratchpad (or weight FIFO)
  kStore,        ///< scratchpad -> memory space
  kPush,         ///< stationary operand: scratchpad or FIFO -> shadow plane of an array
  kMatmul,       ///< streams rows through an array
  kVector,       ///< vector unit
  kSynchronise,  ///< fixed time between dependent operators
};

enum class MemorySpace : std::uint8_t { kDram, kShared, kHost };

/// One command of one queue. Which fields count depends on the opcode.
struct NpuCommand {
  NpuOpcode opcode = NpuOpcode::kSynchronise;
  MemorySpace space = MemorySpace::kDram;  ///< kLoad, kStore
  std::uint16_t core = 0;
  std::uint16_t array = 0;        ///< kPush, kMatmul
  std::uint16_t vector_work = 0;  ///< kVector: index into NpuProgram::vector_works
  std::uint32_t op = 0;           ///< index into Program::operators
  float rate = 1;                 ///< kMatmul: of the array's processing elements, by data type
  std::int64_t bytes = 0;  ///< kLoad, kStore, kPush: moved; kMatmul: operands read from scratchpad
  std::int64_t sum_bytes = 0;     ///< kMatmul: older sums read from scratchpad
  std::int64_t result_bytes = 0;  ///< kMatmul: sums written to scratchpad
  std::int64_t address = 0;       ///< kLoad, kStore: in its memory space
  std::int32_t rows = 0;          ///< kMatmul: streamed rows; kVector: rows
  std::int32_t depth = 0;         ///< kPush, kMatmul: array rows in use (contraction)
  std::int32_t width = 0;         ///< kPush, kMatmul: array columns in use; kVector: columns
  bool weights = false;           ///< kLoad: the operand that will be stationary
  float useful = 1;  ///< kMatmul: share of the elements in use that count; the rest are zeros
  bool output_stationary = false;  ///< kMatmul: no operand is pushed, the sums stay
};

/// What a vector command does to each element: functions by name, with how often each is applied.
struct VectorWork {
  std::string label;
  std::vector<std::pair<std::string, int>> functions;
  int reductions = 0;  ///< across the lanes, once a row
  bool transpose = false;
  double load_bytes_per_element = 0;
  double store_bytes_per_element = 0;
  double matrix_flops_per_element = 0;  ///< of a product that runs here in place of an array
};

/// Commands in issue order, with what each waits for.
struct NpuProgram {
  std::vector<NpuCommand> commands;
  std::vector<std::uint32_t> dependency_begin;  ///< commands.size() + 1 offsets
  std::vector<std::uint32_t> dependencies;      ///< commands that must have completed
  std::vector<VectorWork> vector_works;
};

/// What is kept in a chip's memory.
struct MemoryUse {
  std::int64_t weight_bytes = 0;
  std::int64_t cache_bytes = 0;       ///< keys and values of earlier tokens
  std::int64_t activation_bytes = 0;  ///< that live at once, at most
  std::int64_t workspace_bytes = 0;   ///< of kernels
  std::int64_t output_bytes = 0;      ///< of the last results, part of the above

  std::int64_t total() const {
    return weight_bytes + cache_bytes + activation_bytes + workspace_bytes;
  }
};

struct Program {
  std::string workload;
  std::int64_t batch = 1;
  std::string network_hash;  ///< of the network after the passes, in its text form
  std::string work_hash;     ///< the same without names: programs alike take the same time
  std::string dtype;         ///< of operands: "int8", or "int8xint16" for weights x activations
  std::vector<std::string> notes;  ///< conversions and assumptions, for the summary
  std::vector<OperatorInfo> operators;
  std::vector<TensorPlacement> tensors;
  NpuProgram npu;
  GpuProgram gpu;
  CpuProgram cpu;
  std::int64_t weight_bytes = 0;
  std::int64_t compulsory_bytes = 0;  ///< weights once, inputs and outputs of the network
  std::int64_t memory_bytes = 0;      ///< what the program needs of the off-chip memory
  MemoryUse memory;                   ///< of the network's tensors
  /// Of all ranks that share this rank's inputs, work that several repeat counted once.
  double undivided_flops = 0;

  double NominalFlops() const {
    double sum = 0;
    for (const OperatorInfo& op : operators) sum += op.nominal_flops;
    return sum;
  }
};

}  // namespace siliscope
