// SPDX-License-Identifier: Apache-2.0
// Permutations of dimensions, seen as transposes of matrices.
#pragma once

#include <cstdint>
#include <optional>

#include "workloads/ir/graph.h"

namespace siliscope {

/// `batch` matrices of `rows` x `columns` that become `columns` x `rows`.
struct MatrixTranspose {
  std::int64_t batch = 1, rows = 1, columns = 1;
};

/// A permutation as a transpose of matrices: dimensions that stay side by side count as one. None
/// where it is something else.
std::optional<MatrixTranspose> AsMatrices(const Shape& shape, const Shape& order);

}  // namespace siliscope
