// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/product_check.h"

#include <fmt/format.h>

#include <cmath>

#include "sim/core/error.h"

namespace siliscope {

ProductCheck::ProductCheck(const DotProductUnit& unit, DataType type, std::int64_t contraction,
                           bool sparse)
    : unit_(unit) {
  std::uint64_t random = 0x9e3779b97f4a7c15ULL;
  // From 0.5 to 1 (of the range of an integer type): an element too many or too few is seen.
  const double scale = IsFloat(type) ? 1 : std::ldexp(1, std::max(1, BitsPerElement(type) - 1)) - 1;
  const auto value = [&] {
    random = random * 6364136223846793005ULL + 1442695040888963407ULL;
    const double magnitude = 0.5 + static_cast<double>(random >> 41) / 16777216.0;
    return RoundToType(scale * magnitude, type);
  };
  for (std::int64_t k = 0; k < contraction; ++k) {
    row_.push_back(value());
    column_.push_back(value());
  }
  if (sparse) {
    const SparseRow compressed = Compress(row_);
    column_ = Select(compressed, column_);
    row_ = compressed.values;
  }
  for (std::size_t k = 0; k < row_.size(); ++k) {
    exact_ += static_cast<long double>(row_[k]) * static_cast<long double>(column_[k]);
  }
  bound_ = unit_.ErrorBound(row_, column_);
}

void ProductCheck::Check(std::int64_t contracted, const std::string& kernel) {
  if (contracted != last_) {
    std::vector<double> row = row_, column = column_;
    const auto size = static_cast<std::size_t>(contracted);
    while (row.size() < size) {  // what is multiplied twice counts twice
      row.push_back(row_[row.size() % row_.size()]);
      column.push_back(column_[column.size() % column_.size()]);
    }
    row.resize(size);
    column.resize(size);
    last_sum_ = unit_.Product(row, column);
    last_ = contracted;
  }
  const bool whole = contracted == static_cast<std::int64_t>(row_.size());
  if (!whole || std::abs(static_cast<double>(last_sum_ - exact_)) > bound_) {
    throw InternalError(fmt::format(
        "{}: Tensor Cores multiplied {} elements into a result of {}, their sum is {}, not {}",
        kernel, contracted, row_.size(), last_sum_, static_cast<double>(exact_)));
  }
  ++checked_;
}

}  // namespace siliscope
