// SPDX-License-Identifier: Apache-2.0
// Codes that pass their tensors through once, vector by vector.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "workloads/lower/cpu/cpu_lowering.h"

namespace siliscope {

/// Operations on vectors that a function takes, transcendental ones as polynomials.
int VectorOperations(const std::string& function);
/// Divisions and square roots of a function.
int VectorDivisions(const std::string& function);

struct CpuStream {
  std::vector<std::int64_t> inputs;  ///< addresses of operands like the output
  std::int64_t output = 0;           ///< -1 = the vectors are only added up
  std::int64_t elements = 0;
  int operations = 1, divisions = 0;  ///< on each vector
};

/// A region whose threads each have a stretch of the output.
void WriteStream(CpuLowering& lowering, std::uint32_t op, const CpuStream& stream);
/// `parts` vectors of `elements` that follow each other are added up.
void WriteSumOfParts(CpuLowering& lowering, std::uint32_t op, std::int64_t from, std::int64_t parts,
                     std::int64_t to, std::int64_t elements);
/// The output, or the first input where that is larger, is moved without being computed on.
void WriteCopy(CpuLowering& lowering, std::uint32_t op);

}  // namespace siliscope
