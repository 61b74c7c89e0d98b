// SPDX-License-Identifier: Apache-2.0
// The arithmetic of a Tensor Core, with real values. Floating-point products of a few elements and
// an accumulator are added in one step, aligned to the largest of them and cut, not rounded; double
// precision is a chain of fused multiply-adds, integers are exact modulo 2^32.
//
// Sources: Fasi et al., "Numerical behavior of NVIDIA tensor cores", PeerJ Computer Science 2021
// (Volta to Ampere); Khattak and Mikaitis, "Accurate Models of NVIDIA Tensor Cores", 2025 (Hopper).
#pragma once

#include <cstdint>
#include <vector>

#include "sim/contract/data_type.h"

namespace siliscope {

class DotProductUnit {
 public:
  /// `generation`: 1 Volta, 2 Turing, 3 Ampere, 4 Hopper. `accumulator`: kFp32, or kFp16, to which
  /// sums of kFp16 are then rounded after each step.
  DotProductUnit(std::int64_t generation, DataType type, DataType accumulator = DataType::kFp32);

  /// Elements whose products are added at a time.
  std::int64_t length() const { return length_; }
  /// Bits of the sum behind those of single precision; negative where fewer are kept.
  int extra_bits() const { return extra_bits_; }

  /// c + a[0] b[0] + ..., of `length()` elements that are values of the type.
  double Add(double c, const double* a, const double* b) const;
  /// The row times the column, `length()` elements after another.
  double Product(const std::vector<double>& row, const std::vector<double>& column) const;
  /// How far the result may lie from the exact sum of n products: a cut or a rounding a step.
  double ErrorBound(const std::vector<double>& row, const std::vector<double>& column) const;

 private:
  double AddAligned(double c, const double* a, const double* b) const;
  double AddIntegers(double c, const double* a, const double* b) const;

  DataType type_, accumulator_;
  std::int64_t length_;
  int extra_bits_;
};

/// The value of a type nearest to `x`, ties to even; of an integer type, inside of its range.
double RoundToType(double x, DataType type);

/// A row whose 2:4 structured sparsity has been taken out: of each four elements the two that are
/// not zero, and where they were.
struct SparseRow {
  std::vector<double> values;
  std::vector<std::uint8_t> places;  ///< 0 to 3, two bits each in the hardware
};
/// Keeps the two largest of each four elements.
SparseRow Compress(const std::vector<double>& row);
/// What a sparse Tensor Core selects of a dense column: the elements that meet a row's values.
std::vector<double> Select(const SparseRow& row, const std::vector<double>& column);

}  // namespace siliscope
