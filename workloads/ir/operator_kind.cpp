// SPDX-License-Identifier: Apache-2.0
#include "workloads/ir/operator_kind.h"

#include <algorithm>

#include "sim/core/error.h"

namespace siliscope {

std::int64_t Axis(std::int64_t axis, std::size_t rank) {
  const auto r = static_cast<std::int64_t>(rank);
  if (axis < -r || axis >= std::max<std::int64_t>(r, 1)) {
    throw UserError("axis " + std::to_string(axis) + " is outside of rank " + std::to_string(r));
  }
  return axis < 0 ? axis + r : axis;
}

Shape BroadcastShape(const Shape& a, const Shape& b) {
  const std::size_t rank = std::max(a.size(), b.size());
  Shape shape(rank, 1);
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t x = i < rank - a.size() ? 1 : a[i - (rank - a.size())];
    const std::int64_t y = i < rank - b.size() ? 1 : b[i - (rank - b.size())];
    if (x != y && x != 1 && y != 1) {
      throw UserError("shapes " + ShapeText(a) + " and " + ShapeText(b) + " do not broadcast");
    }
    shape[i] = x == 1 ? y : x;
  }
  return shape;
}

std::vector<std::int64_t> Strides(const Shape& shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

double BroadcastAt(const Value& value, const Shape& shape, std::int64_t flat_index) {
  std::int64_t index = 0, stride = 1;
  const std::size_t lead = shape.size() - value.shape.size();
  for (std::size_t i = shape.size(); i-- > 0;) {
    const std::int64_t position = flat_index % shape[i];
    flat_index /= shape[i];
    if (i < lead) continue;
    const std::int64_t extent = value.shape[i - lead];
    if (extent != 1) index += position * stride;
    stride *= extent;
  }
  return value.data[static_cast<std::size_t>(index)];
}

}  // namespace siliscope
