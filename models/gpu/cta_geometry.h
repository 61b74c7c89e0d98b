// SPDX-License-Identifier: Apache-2.0
// Where a CTA stands in its grid, and which rectangle of a tensor it touches in a step.
#pragma once

#include <algorithm>
#include <cstdint>

#include "sim/contract/gpu_program.h"

namespace siliscope {

struct CtaPlace {
  std::int64_t i = 0, j = 0, batch = 0, split = 0;
};

struct Rectangle {
  std::int64_t row = 0, rows = 0;    ///< of the tensor; rows = 0: nothing
  std::int64_t byte = 0, bytes = 0;  ///< inside of each row
};

/// The place of the n-th CTA to start: splits outermost, then batches, then bands of `swizzle` tile
/// rows (or columns) that are walked across.
inline CtaPlace PlaceOf(const GridMap& grid, std::int64_t n) {
  CtaPlace place;
  const std::int64_t tiles = grid.rows * grid.columns;
  place.split = n / (tiles * grid.batch);
  place.batch = n / tiles % grid.batch;
  const std::int64_t t = n % tiles;
  const std::int64_t outer = grid.columns_first ? grid.rows : grid.columns;
  const std::int64_t inner = grid.columns_first ? grid.columns : grid.rows;
  // Bands of `swizzle` of the inner dimension; inside of a band the inner index runs fastest.
  const std::int64_t width = std::min(grid.swizzle <= 1 ? inner : grid.swizzle, inner);
  const std::int64_t band = t / (width * outer);
  const std::int64_t first = band * width;
  const std::int64_t in_band = std::min(width, inner - first);
  const std::int64_t rest = t - first * outer;
  const std::int64_t in = first + rest % in_band, out = rest / in_band;
  place.i = grid.columns_first ? out : in;
  place.j = grid.columns_first ? in : out;
  return place;
}

/// The row that the n-th index of a table names: any, but always the same.
inline std::int64_t ScatteredRow(std::int64_t n, std::int64_t rows) {
  std::uint64_t hash = (static_cast<std::uint64_t>(n) + 1) * 0x9e3779b97f4a7c15ULL;
  hash ^= hash >> 31;
  hash *= 0xbf58476d1ce4e5b9ULL;
  hash ^= hash >> 27;
  return static_cast<std::int64_t>(hash % static_cast<std::uint64_t>(rows));
}

inline Rectangle RectangleOf(const OperandStream& s, const GpuTensor& tensor, const CtaPlace& place,
                             std::int64_t step) {
  const std::int64_t batch = place.batch / s.batch_divisor;
  std::int64_t row =
      s.row_i * place.i + s.row_j * place.j + s.row_batch * batch + s.row_split * place.split;
  std::int64_t byte = s.byte_i * place.i + s.byte_j * place.j + s.byte_batch * batch;
  if (s.step_offsets.empty()) {
    row += s.row_step * step;
    byte += s.byte_step * step;
  } else {
    const auto& offset = s.step_offsets[static_cast<std::size_t>(step) % s.step_offsets.size()];
    row += offset.first;
    byte += offset.second;
  }
  if (s.scattered) row = ScatteredRow(row, tensor.rows);
  Rectangle r;
  r.row = std::max<std::int64_t>(row, 0);
  r.rows = std::min(row + s.rows, tensor.rows) - r.row;
  r.byte = std::max<std::int64_t>(byte, 0);
  r.bytes = std::min(byte + s.row_bytes, tensor.row_bytes) - r.byte;
  if (r.rows <= 0 || r.bytes <= 0) r.rows = r.bytes = 0;
  return r;
}

inline constexpr std::int64_t kLineBytes = 128;

/// Rows that are narrower than a line lie packed: to the caches such a tensor is its lines.
inline bool IsPacked(const GpuTensor& t) { return t.row_bytes < kLineBytes && t.rows > 1; }
inline std::int64_t LineRowBytes(const GpuTensor& t) {
  return IsPacked(t) ? kLineBytes : t.row_bytes;
}
inline std::int64_t LineRows(const GpuTensor& t) {
  return IsPacked(t) ? (t.rows * t.row_bytes + kLineBytes - 1) / kLineBytes : t.rows;
}

/// A rectangle of `tensor` in its lines.
inline Rectangle InLines(const Rectangle& r, const GpuTensor& tensor) {
  if (!IsPacked(tensor) || r.rows <= 0) return r;
  const std::int64_t first = r.row * tensor.row_bytes + r.byte;
  const std::int64_t last = first + (r.rows - 1) * tensor.row_bytes + r.bytes - 1;
  Rectangle lines;
  lines.row = first / kLineBytes;
  lines.rows = last / kLineBytes - lines.row + 1;
  lines.byte = lines.rows == 1 ? first % kLineBytes : 0;
  lines.bytes = lines.rows == 1 ? last - first + 1 : kLineBytes;
  return lines;
}

/// Steps of a pass of one CTA, and the first: splits share them.
struct StepRange {
  std::int64_t first = 0, count = 0;
};
inline StepRange StepsOf(const GpuKernel& kernel, const KernelPass& pass, const CtaPlace& place) {
  if (!pass.split_steps || kernel.grid.splits == 1) return {0, pass.steps};
  const std::int64_t each = (pass.steps + kernel.grid.splits - 1) / kernel.grid.splits;
  const std::int64_t first = std::min(pass.steps, each * place.split);
  return {first, std::min(each, pass.steps - first)};
}

}  // namespace siliscope
