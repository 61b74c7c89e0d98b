// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/dot_product_unit.h"

#include <algorithm>
#include <cmath>

namespace siliscope {
namespace {

constexpr int kSingleBits = 24;

int SignificandBits(DataType type) {
  switch (type) {
    case DataType::kBf16:
      return 8;
    case DataType::kFp8:
      return 4;
    case DataType::kFp16:
    case DataType::kTf32:
      return 11;
    default:
      return kSingleBits;
  }
}

int LeastExponent(DataType type) {  // of the last bit of a subnormal
  switch (type) {
    case DataType::kFp16:
      return -24;
    case DataType::kFp8:
      return -9;
    default:  // of single precision, bf16 and tf32: whose last bits differ
      return -126 - (SignificandBits(type) - 1);
  }
}

}  // namespace

DotProductUnit::DotProductUnit(std::int64_t generation, DataType type, DataType accumulator)
    : type_(type), accumulator_(accumulator) {
  length_ = generation <= 2 ? 4 : generation == 3 ? 8 : 16;
  if (type == DataType::kTf32) length_ /= 2;
  if (type == DataType::kFp8 || !IsFloat(type)) length_ *= 2;
  if (type == DataType::kFp64) length_ = 4;  // m8n8k4
  extra_bits_ = generation == 1 ? 0 : generation <= 3 ? 1 : 2;
  if (type == DataType::kFp8) extra_bits_ = 14 - kSingleBits;
}

double DotProductUnit::AddAligned(double c, const double* a, const double* b) const {
  int largest = -1000;
  const auto look = [&](double x) {
    if (x != 0) largest = std::max(largest, std::ilogb(x));
  };
  look(c);
  for (std::int64_t i = 0; i < length_; ++i) look(a[i] * b[i]);
  if (largest == -1000) return 0;
  // Cut towards zero at the last bit that the aligned addends have; their sum is exact.
  const int last = largest - (kSingleBits - 1) - extra_bits_;
  std::int64_t sum = static_cast<std::int64_t>(std::ldexp(c, -last));
  for (std::int64_t i = 0; i < length_; ++i) {
    sum += static_cast<std::int64_t>(std::ldexp(a[i] * b[i], -last));
  }
  if (sum == 0) return 0;
  const double exact = std::ldexp(static_cast<double>(sum), last);
  if (accumulator_ == DataType::kFp16) return RoundToType(exact, DataType::kFp16);
  // Normalised, and cut again to single precision.
  const int unit = std::ilogb(exact) - (kSingleBits - 1);
  return std::ldexp(std::trunc(std::ldexp(exact, -unit)), unit);
}

double DotProductUnit::AddIntegers(double c, const double* a, const double* b) const {
  auto sum = static_cast<std::uint32_t>(static_cast<std::int64_t>(c));
  for (std::int64_t i = 0; i < length_; ++i) {
    sum += static_cast<std::uint32_t>(static_cast<std::int64_t>(a[i] * b[i]));
  }
  return static_cast<std::int32_t>(sum);
}

double DotProductUnit::Add(double c, const double* a, const double* b) const {
  if (!IsFloat(type_)) return AddIntegers(c, a, b);
  if (type_ != DataType::kFp64) return AddAligned(c, a, b);
  for (std::int64_t i = 0; i < length_; ++i) c = std::fma(a[i], b[i], c);
  return c;
}

double DotProductUnit::Product(const std::vector<double>& row,
                               const std::vector<double>& column) const {
  const auto length = static_cast<std::size_t>(length_);
  std::vector<double> a(length), b(length);
  double c = 0;
  for (std::size_t k = 0; k < row.size(); k += length) {
    for (std::size_t i = 0; i < length; ++i) {
      const bool inside = k + i < row.size();
      a[i] = inside ? row[k + i] : 0;
      b[i] = inside ? column[k + i] : 0;
    }
    c = Add(c, a.data(), b.data());
  }
  return c;
}

double DotProductUnit::ErrorBound(const std::vector<double>& row,
                                  const std::vector<double>& column) const {
  if (!IsFloat(type_)) return 0;
  double size = 0;
  for (std::size_t i = 0; i < row.size(); ++i) size += std::abs(row[i] * column[i]);
  if (type_ == DataType::kFp64) return static_cast<double>(row.size()) * std::ldexp(size, -53);
  const double steps = std::ceil(static_cast<double>(row.size()) / static_cast<double>(length_));
  const double cuts = static_cast<double>(length_ + 1) * std::ldexp(1, -extra_bits_) + 1;
  const double bound = steps * cuts * std::ldexp(size, 1 - kSingleBits);
  return accumulator_ == DataType::kFp16 ? bound + steps * std::ldexp(size, -11) : bound;
}

double RoundToType(double x, DataType type) {
  if (x == 0 || type == DataType::kFp64) return x;
  if (!IsFloat(type)) {
    const double most = std::ldexp(1, std::max(0, BitsPerElement(type) - 1)) - 1;
    return std::clamp(std::nearbyint(x), -most - 1, most);
  }
  const int unit = std::max(std::ilogb(x) - (SignificandBits(type) - 1), LeastExponent(type));
  return std::ldexp(std::nearbyint(std::ldexp(x, -unit)), unit);
}

SparseRow Compress(const std::vector<double>& row) {
  SparseRow sparse;
  for (std::size_t group = 0; group < row.size(); group += 4) {
    const std::size_t size = std::min<std::size_t>(4, row.size() - group);
    std::vector<std::uint8_t> order;
    for (std::size_t i = 0; i < size; ++i) order.push_back(static_cast<std::uint8_t>(i));
    std::stable_sort(order.begin(), order.end(), [&](std::uint8_t i, std::uint8_t j) {
      return std::abs(row[group + i]) > std::abs(row[group + j]);
    });
    order.resize(std::min<std::size_t>(2, size));
    std::sort(order.begin(), order.end());
    for (const std::uint8_t place : order) {
      sparse.values.push_back(row[group + place]);
      sparse.places.push_back(place);
    }
  }
  return sparse;
}

std::vector<double> Select(const SparseRow& row, const std::vector<double>& column) {
  std::vector<double> selected;
  for (std::size_t i = 0; i < row.values.size(); ++i) {
    selected.push_back(column[i / 2 * 4 + row.places[i]]);
  }
  return selected;
}

}  // namespace siliscope
