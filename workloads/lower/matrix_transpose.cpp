// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/matrix_transpose.h"

namespace siliscope {

std::optional<MatrixTranspose> AsMatrices(const Shape& shape, const Shape& order) {
  const std::size_t rank = shape.size();
  std::size_t kept = 0;
  while (kept < rank && order[kept] == static_cast<std::int64_t>(kept)) ++kept;
  if (kept == rank) return std::nullopt;
  const auto turn = static_cast<std::size_t>(order[kept]);  // the first of the columns' dimensions
  for (std::size_t i = kept; i < rank; ++i) {
    const std::size_t from = i + turn - kept;
    if (order[i] != static_cast<std::int64_t>(from < rank ? from : from - rank + kept)) {
      return std::nullopt;
    }
  }
  MatrixTranspose t;
  for (std::size_t i = 0; i < rank; ++i) {
    (i < kept ? t.batch : i < turn ? t.rows : t.columns) *= shape[i];
  }
  return t;
}

}  // namespace siliscope
