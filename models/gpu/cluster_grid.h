// SPDX-License-Identifier: Apache-2.0
// The grid of a kernel in clusters of CTAs that start and end together on SMs of one GPC; a CTA
// without a cluster is one of one member.
#pragma once

#include <cstddef>
#include <cstdint>

#include "models/gpu/cta_geometry.h"
#include "sim/core/ceil_divide.h"

namespace siliscope {

class ClusterGrid {
 public:
  explicit ClusterGrid(const GpuKernel& kernel)
      : rows_(kernel.cluster_rows),
        columns_(kernel.cluster_columns),
        splits_(kernel.cluster_splits),
        grid_(kernel.grid) {
    grid_.rows = CeilDivide(kernel.grid.rows, rows_);
    grid_.columns = CeilDivide(kernel.grid.columns, columns_);
    grid_.splits = CeilDivide(kernel.grid.splits, splits_);
  }

  /// CTAs of a cluster.
  std::int64_t members() const { return rows_ * columns_ * splits_; }
  /// Clusters that the kernel's tiles make.
  std::int64_t tiles() const { return grid_.Ctas(); }
  std::int64_t RowOf(std::size_t member) const {
    return static_cast<std::int64_t>(member) % (rows_ * columns_) / columns_;
  }
  std::int64_t ColumnOf(std::size_t member) const {
    return static_cast<std::int64_t>(member) % columns_;
  }
  /// Whether one member gets what another fetches of an operand.
  bool Shares(const OperandStream& stream, std::size_t member, std::size_t other) const {
    return (stream.shared_by_cluster_rows && ColumnOf(other) == ColumnOf(member)) ||
           (stream.shared_by_cluster_columns && RowOf(other) == RowOf(member));
  }
  /// Where a member's tile lies.
  CtaPlace PlaceIn(std::int64_t tile, std::size_t member) const {
    CtaPlace place = PlaceOf(grid_, tile);
    place.split = place.split * splits_ + static_cast<std::int64_t>(member) / (rows_ * columns_);
    place.i = place.i * rows_ + RowOf(member);
    place.j = place.j * columns_ + ColumnOf(member);
    return place;
  }

 private:
  std::int64_t rows_, columns_, splits_;
  GridMap grid_;
};

}  // namespace siliscope
