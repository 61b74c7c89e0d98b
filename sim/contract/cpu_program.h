// SPDX-License-Identifier: Apache-2.0
// The instruction set between the compiler and a CPU: codes made of micro-operations and counted
// loops, and calls of codes with trip counts and addresses.
#pragma once

#include <array>
#include <boost/container/static_vector.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/contract/cpu_spec.h"

namespace siliscope {

inline constexpr std::uint8_t kNoCpuRegister = 255;

/// One micro-operation. Registers are names of a code's own, up to 254; renaming gives each result
/// a place of its own.
struct MicroOp {
  MicroOpClass op = MicroOpClass::kInteger;
  std::uint8_t destination = kNoCpuRegister;
  std::array<std::uint8_t, 3> sources = {kNoCpuRegister, kNoCpuRegister, kNoCpuRegister};
  /// Loads and stores: `bytes` at the pointer `pointer` plus `offset`.
  std::uint8_t pointer = 0;
  std::uint16_t bytes = 0;
  std::int64_t offset = 0;
  /// Integers: moves `pointer` by so many bytes.
  std::int64_t advance = 0;
  /// Loads: the next line of a walk that visits all lines of the call's `walk_bytes` in an order
  /// that no prefetcher follows.
  bool walks = false;
  /// Loads: the line is only asked for, into the first or second cache; nothing waits until it
  /// comes. 0 = an ordinary load.
  std::uint8_t prefetch_level = 0;
  /// Stores: past the caches, which neither fetch nor keep the line.
  bool non_temporal = false;
  /// Branches: back to micro-operation `target` until the call's `trips[loop]` are done.
  std::int32_t target = 0;
  std::uint8_t loop = 0;
  float flops = 0;  ///< of all lanes
  /// One slot of the front end serves it and the micro-operation before it: a memory operand.
  bool fused = false;
};

struct CpuCode {
  std::string name;  ///< "sgemm_32x12", "pack_a"
  std::vector<MicroOp> ops;
};

/// One run of a code. Pointers begin at `pointers`.
struct CpuCall {
  static constexpr std::size_t kLoops = 8, kPointers = 12;
  std::uint32_t code = 0;
  boost::container::static_vector<std::int64_t, kLoops> trips;
  boost::container::static_vector<std::int64_t, kPointers> pointers;
  std::int64_t walk_bytes = 0;
};

/// The work of an operator, or of a phase of it: calls of each thread, one after another. A thread
/// runs on the core of its number; the region ends when all of them have.
struct CpuRegion {
  std::uint32_t op = 0;  ///< index into Program::operators
  std::vector<std::vector<CpuCall>> threads;
  double enter_s = 0;  ///< before it: a library is entered
};

/// A tensor in memory.
struct CpuTensor {
  std::string name;
  std::int64_t address = 0;
  std::int64_t bytes = 0;
  std::int64_t thread = -1;  ///< whose own it is; -1 = all threads'
};

struct CpuProgram {
  std::vector<CpuTensor> tensors;
  std::vector<CpuCode> codes;
  std::vector<CpuRegion> regions;  ///< one after another
  bool wide_vectors = false;       ///< the clock of the widest vectors counts
  bool cold = false;  ///< nothing is in the caches before the run; else what a run left
};

}  // namespace siliscope
