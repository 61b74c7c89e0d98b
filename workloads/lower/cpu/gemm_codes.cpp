// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/cpu/gemm_codes.h"

#include <fmt/format.h>

#include <algorithm>

#include "workloads/lower/cpu/micro_code_builder.h"

namespace siliscope {
namespace {

/// Turns of packing by which its prefetches lead: a line that comes from memory takes some.
constexpr std::int64_t kTurnsAhead = 4;
constexpr int kAccumulators = 100, kBroadcasts = 60, kScratch = 96;

/// Bytes of the v-th vector of `rows` lanes.
std::int64_t BytesOf(const GemmCodeShape& s, std::int64_t rows, std::int64_t vector) {
  return std::min(s.vector_bytes, rows * s.lane_bytes - vector * s.vector_bytes);
}

int Sum(const GemmCodeShape& s, const GemmTileShape& t, std::int64_t column, std::int64_t vector) {
  return static_cast<int>(kAccumulators + column * s.VectorsOf(t.rows) + vector);
}

/// A step of the contraction: the rows' vectors, then each column's value with all of them. Where a
/// broadcast brings two columns, the rows are needed in two orders.
void WriteStep(MicroCodeBuilder* b, const GemmCodeShape& s, const GemmTileShape& t,
               std::int64_t step) {
  const std::int64_t set = step % t.sums;
  const std::int64_t vectors = s.VectorsOf(t.rows);
  const bool pairs = s.columns_per_load == 2 && t.columns > 1;
  const bool fused = s.memory_operands && vectors == 1;
  for (std::int64_t v = 0; v < vectors; ++v) {
    for (std::int64_t copy = 0; copy < (pairs ? 2 : 1); ++copy) {
      b->Load(static_cast<int>(2 * v + copy), 0, step * t.row_step + v * s.vector_bytes,
              BytesOf(s, t.rows, v));
    }
  }
  for (std::int64_t j = 0; j < t.columns; ++j) {
    const std::int64_t first = j / s.columns_per_load * s.columns_per_load;
    const std::int64_t count = std::min(s.columns_per_load, t.columns - first);
    const int value = kBroadcasts + static_cast<int>(first % 32);
    if (j == first) {
      b->Load(value, 1, step * t.column_step + j * t.column_stride, count * s.lane_bytes);
    }
    for (std::int64_t v = 0; v < vectors; ++v) {
      const int sum = Sum(s, t, set * t.columns + j, v);
      MicroOp& fma = b->Add(MicroOpClass::kFma, sum, static_cast<int>(2 * v + (pairs ? j % 2 : 0)),
                            value, sum);
      fma.flops =
          static_cast<float>(2 * s.macs_per_lane * static_cast<double>(BytesOf(s, t.rows, v)) /
                             static_cast<double>(s.lane_bytes));
      fma.fused = fused;
    }
  }
}

/// The sums go to the result, what it holds added and the epilogue applied.
void WriteResult(MicroCodeBuilder* b, const GemmCodeShape& s, const GemmTileShape& t) {
  for (std::int64_t j = 0; j < t.columns; ++j) {
    for (std::int64_t v = 0; v < s.VectorsOf(t.rows); ++v) {
      const int sum = Sum(s, t, j, v);
      for (std::int64_t set = 1; set < t.sums; ++set) {
        b->Add(MicroOpClass::kFloatAdd, sum, sum, Sum(s, t, set * t.columns + j, v));
      }
      const std::int64_t lanes = BytesOf(s, t.rows, v) / s.lane_bytes;
      const std::int64_t at =
          j * t.result_stride + v * s.vector_bytes / s.lane_bytes * s.result_bytes;
      const std::int64_t bytes = std::max<std::int64_t>(1, lanes * s.result_bytes);
      if (t.adds) {
        b->Load(kScratch, 2, at, bytes);
        b->Add(MicroOpClass::kFma, sum, sum, kScratch);
      }
      if (t.finishes) {
        if (s.epilogue_operand) b->Load(kScratch + 1, 3, at, bytes);
        for (int e = 0; e < s.epilogue_operations; ++e) {
          b->Add(MicroOpClass::kFloatAdd, sum, sum, s.epilogue_operand ? kScratch + 1 : sum);
        }
      }
      b->Store(sum, 2, at, bytes);
    }
  }
}

}  // namespace

CpuCode TileCode(const GemmCodeShape& s, const GemmTileShape& t) {
  MicroCodeBuilder b(fmt::format("gemm_{}x{}x{}_{}_{}_{}_{}_{}_{}_{}{}{}{}_{}{}", t.rows, t.columns,
                                 t.depth, t.sums, t.unroll, 8 * s.lane_bytes, t.row_step,
                                 t.column_step, t.column_stride, t.result_stride,
                                 t.adds ? "_adds" : "", t.finishes ? "_finishes" : "",
                                 t.prefetches_result ? "_prefetches" : "", s.epilogue_operations,
                                 s.epilogue_operand ? "_operand" : ""));
  const std::int32_t tile = b.Here();
  for (std::int64_t a = 0; a < s.VectorsOf(t.rows) * t.columns * t.sums; ++a) {  // cleared
    b.Add(MicroOpClass::kInteger, static_cast<int>(kAccumulators + a));
  }
  if (t.prefetches_result) {
    for (std::int64_t j = 0; j < t.columns; ++j) {
      b.Prefetch(1, 2, j * t.result_stride, t.rows * s.result_bytes);
    }
  }
  const std::int32_t step = b.Here();
  for (std::int64_t u = 0; u < t.unroll; ++u) WriteStep(&b, s, t, u);
  b.Advance(0, t.unroll * t.row_step);
  b.Advance(1, t.unroll * t.column_step);
  b.Loop(step, 0);
  WriteResult(&b, s, t);
  const std::int64_t steps = (t.depth + t.unroll - 1) / t.unroll * t.unroll;
  b.Advance(0, (t.packed ? t.depth * t.row_step : t.rows * s.lane_bytes) - steps * t.row_step);
  b.Advance(1, -steps * t.column_step);
  b.Advance(2, t.rows * s.result_bytes);
  if (t.finishes && s.epilogue_operand) b.Advance(3, t.rows * s.result_bytes);
  b.Loop(tile, 1);
  return b.Finish();
}

CpuCode MatrixTileCode(const GemmCodeShape& s, const CpuMatrixSpec& unit, std::int64_t steps,
                       std::int64_t result_stride, bool adds) {
  MicroCodeBuilder b(fmt::format("matrix_{}_{}_{}_{}{}", unit.rows, steps, s.result_bytes,
                                 result_stride, adds ? "_adds" : ""));
  constexpr int kSide = 2;
  const std::int64_t tile_bytes = unit.rows * unit.row_bytes;
  const std::int64_t lanes = unit.rows * unit.rows * (unit.row_bytes / s.lane_bytes);
  const auto flops = static_cast<float>(2 * s.macs_per_lane * static_cast<double>(lanes));
  const std::int32_t tile = b.Here();
  for (int a = 0; a < kSide * kSide; ++a) b.Add(MicroOpClass::kInteger, kAccumulators + a);
  const std::int32_t step = b.Here();
  for (int i = 0; i < kSide; ++i) b.Load(i, 0, i * tile_bytes, tile_bytes);
  for (int j = 0; j < kSide; ++j) b.Load(16 + j, 1, j * tile_bytes, tile_bytes);
  for (int j = 0; j < kSide; ++j) {
    for (int i = 0; i < kSide; ++i) {
      const int sum = kAccumulators + j * kSide + i;
      b.Add(MicroOpClass::kMatrix, sum, i, 16 + j, sum).flops = flops;
    }
  }
  b.Advance(0, kSide * tile_bytes);
  b.Advance(1, kSide * tile_bytes);
  b.Loop(step, 0);
  // A row of a tile is stored, and converted where the result is narrower, at a time.
  for (int a = 0; a < kSide * kSide; ++a) {
    for (std::int64_t r = 0; r < unit.rows; ++r) {
      const std::int64_t at =
          (a / kSide * unit.rows + r) * result_stride + a % kSide * unit.rows * s.result_bytes;
      const std::int64_t bytes = unit.rows * s.result_bytes;
      if (adds) b.Load(kScratch, 2, at, bytes);
      for (int e = 0; e < s.epilogue_operations + (adds ? 1 : 0); ++e) {
        b.Add(MicroOpClass::kFloatAdd, kScratch + 2, kAccumulators + a, kScratch);
      }
      b.Store(kAccumulators + a, 2, at, bytes);
    }
  }
  b.Advance(1, -steps * kSide * tile_bytes);
  b.Advance(2, kSide * unit.rows * s.result_bytes);
  b.Loop(tile, 1);
  return b.Finish();
}

CpuCode CopyPackCode(const GemmCodeShape& s, std::int64_t width, std::int64_t depth,
                     std::int64_t row_bytes) {
  MicroCodeBuilder b(
      fmt::format("pack_copy_{}_{}_{}_{}", width, 8 * s.lane_bytes, depth, row_bytes));
  const std::int64_t e = s.lane_bytes;
  const std::int32_t step = b.Here();
  for (std::int64_t v = 0; v < s.VectorsOf(width); ++v) {
    b.Load(static_cast<int>(v), 0, v * s.vector_bytes, BytesOf(s, width, v));
    b.Store(static_cast<int>(v), 1, v * s.vector_bytes, BytesOf(s, width, v));
  }
  b.Advance(0, row_bytes);
  b.Advance(1, width * e);
  b.Loop(step, 0);
  b.Advance(0, width * e - depth * row_bytes);
  b.Loop(step, 1);
  return b.Finish();
}

CpuCode RowPackCode(const GemmCodeShape& s, std::int64_t width, std::int64_t depth,
                    std::int64_t row_bytes, std::int64_t strips) {
  MicroCodeBuilder b(fmt::format("pack_rows{}_{}_{}_{}_{}_{}",
                                 s.prefetches_sources ? "_prefetches" : "", width, 8 * s.lane_bytes,
                                 depth, row_bytes, strips));
  const std::int64_t strip = width * s.lane_bytes, rows = RowsAtATime(width);
  const std::int32_t again = b.Here();
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t v = 0; v < s.VectorsOf(width); ++v) {
      const std::int64_t at = v * s.vector_bytes, bytes = BytesOf(s, width, v);
      if (s.prefetches_sources) b.Prefetch(2, 0, (kTurnsAhead * rows + r) * row_bytes + at, bytes);
      b.Load(static_cast<int>(v), 0, r * row_bytes + at, bytes);
      b.Store(static_cast<int>(v), 1, r * strip + at, bytes);
    }
  }
  b.Advance(0, strip);
  b.Advance(1, strip * depth);
  b.Loop(again, 0);
  b.Advance(0, rows * row_bytes - strips * strip);
  b.Advance(1, rows * strip - strips * strip * depth);
  b.Loop(again, 1);
  return b.Finish();
}

CpuCode InterleavePackCode(const GemmCodeShape& s, std::int64_t width, std::int64_t depth,
                           std::int64_t row_bytes) {
  MicroCodeBuilder b(
      fmt::format("pack_interleave_{}_{}_{}_{}", width, 8 * s.lane_bytes, depth, row_bytes));
  constexpr std::int64_t kSteps = 4;
  const std::int64_t e = s.lane_bytes, trips = (depth + kSteps - 1) / kSteps;
  const std::int32_t step = b.Here();
  for (std::int64_t j = 0; j < width; ++j) {
    b.Load(static_cast<int>(j % 64), 0, j * row_bytes, kSteps * e);
    b.Add(MicroOpClass::kShuffle, static_cast<int>(64 + j % 64), static_cast<int>(j % 64));
    b.Add(MicroOpClass::kShuffle, static_cast<int>(64 + j % 64), static_cast<int>(64 + j % 64));
  }
  const std::int64_t store = std::min(s.vector_bytes, kSteps * e);
  for (std::int64_t at = 0; at < width * kSteps * e; at += store) {
    b.Store(static_cast<int>(64 + at / store % 64), 1, at, store);
  }
  b.Advance(0, kSteps * e);
  b.Advance(1, width * kSteps * e);
  b.Loop(step, 0);
  b.Advance(0, width * row_bytes - trips * kSteps * e);
  b.Loop(step, 1);
  return b.Finish();
}

CpuCode SquarePackCode(const GemmCodeShape& s, std::int64_t width, std::int64_t depth,
                       std::int64_t row_bytes) {
  MicroCodeBuilder b(fmt::format("pack_squares{}_{}_{}_{}_{}",
                                 s.prefetches_sources ? "_prefetches" : "", width, 8 * s.lane_bytes,
                                 depth, row_bytes));
  const std::int64_t lanes = s.vector_bytes / s.lane_bytes, trips = (depth + lanes - 1) / lanes;
  const std::int32_t step = b.Here();
  for (std::int64_t from = 0; from < width; from += lanes) {
    const std::int64_t rows = std::min(lanes, width - from);
    for (std::int64_t j = 0; s.prefetches_sources && j < rows; ++j) {
      b.Prefetch(2, 0, (from + j) * row_bytes + kTurnsAhead * s.vector_bytes, s.vector_bytes);
    }
    for (std::int64_t j = 0; j < rows; ++j) {
      b.Load(static_cast<int>(j), 0, (from + j) * row_bytes, s.vector_bytes);
    }
    // Stage by stage, each vector is made of two of the stage before.
    for (std::int64_t apart = 1; apart < lanes; apart *= 2) {
      for (std::int64_t j = 0; j < lanes; ++j) {
        b.Add(MicroOpClass::kShuffle, static_cast<int>(64 + j),
              static_cast<int>(apart == 1 ? j : 64 + j),
              static_cast<int>((apart == 1 ? 0 : 64) + (j ^ apart)));
      }
    }
    for (std::int64_t j = 0; j < lanes; ++j) {
      b.Store(static_cast<int>(64 + j), 1, (j * width + from) * s.lane_bytes, rows * s.lane_bytes);
    }
  }
  b.Advance(0, s.vector_bytes);
  b.Advance(1, width * s.vector_bytes);
  b.Loop(step, 0);
  b.Advance(0, width * row_bytes - trips * s.vector_bytes);
  b.Loop(step, 1);
  return b.Finish();
}

CpuCode VectorProductCode(const GemmCodeShape& s, std::int64_t columns, std::int64_t row_bytes) {
  MicroCodeBuilder b(fmt::format("gemv_{}_{}_{}", 8 * s.lane_bytes, columns, row_bytes));
  constexpr int kRows = 8, kUnroll = 2;
  const std::int64_t e = s.lane_bytes;
  const std::int64_t turn = kUnroll * s.vector_bytes;
  const std::int64_t turns = (columns * e + turn - 1) / turn;
  const std::int32_t pass = b.Here();
  for (int r = 0; r < kRows; ++r) b.Load(32 + r, 0, r * e, e);
  const std::int32_t again = b.Here();
  for (int u = 0; u < kUnroll; ++u) {
    const std::int64_t at = u * s.vector_bytes;
    b.Load(64 + u, 2, at, s.vector_bytes);
    for (int r = 0; r < kRows; ++r) {
      const int value = 80 + u * kRows + r;
      b.Load(value, 1, r * row_bytes + at, s.vector_bytes);
      b.Add(MicroOpClass::kFma, 64 + u, value, 32 + r, 64 + u).flops = s.FlopsOfVector();
    }
    b.Store(64 + u, 2, at, s.vector_bytes);
  }
  b.Advance(1, turn);
  b.Advance(2, turn);
  b.Loop(again, 0);
  b.Advance(0, kRows * e);
  b.Advance(1, kRows * row_bytes - turns * turn);
  b.Advance(2, -turns * turn);
  b.Loop(pass, 1);
  return b.Finish();
}

CpuCode DotProductCode(const GemmCodeShape& s, std::int64_t depth) {
  MicroCodeBuilder b(fmt::format("dot_{}_{}", 8 * s.lane_bytes, depth));
  constexpr int kRows = 4, kUnroll = 2;
  const std::int64_t row_bytes = depth * s.lane_bytes, turn = kUnroll * s.vector_bytes;
  const std::int64_t turns = (row_bytes + turn - 1) / turn;
  const std::int32_t rows = b.Here();
  for (int a = 0; a < kRows * kUnroll; ++a) b.Add(MicroOpClass::kInteger, kAccumulators + a);
  const std::int32_t again = b.Here();
  for (int u = 0; u < kUnroll; ++u) {
    b.Load(u, 0, u * s.vector_bytes, s.vector_bytes);
    for (int r = 0; r < kRows; ++r) {
      const int sum = kAccumulators + r * kUnroll + u;
      b.Load(16 + r, 1, r * row_bytes + u * s.vector_bytes, s.vector_bytes);
      b.Add(MicroOpClass::kFma, sum, 16 + r, u, sum).flops = s.FlopsOfVector();
    }
  }
  b.Advance(0, turn);
  b.Advance(1, turn);
  b.Loop(again, 0);
  for (int r = 0; r < kRows; ++r) {  // lanes are added up
    const int sum = kAccumulators + r * kUnroll;
    b.Add(MicroOpClass::kFloatAdd, sum, sum, sum + 1);
    for (std::int64_t lanes = s.vector_bytes / s.lane_bytes; lanes > 1; lanes /= 2) {
      b.Add(MicroOpClass::kShuffle, kScratch, sum);
      b.Add(MicroOpClass::kFloatAdd, sum, sum, kScratch);
    }
    b.Store(sum, 2, r * s.result_bytes, s.result_bytes);
  }
  b.Advance(0, -turns * turn);
  b.Advance(1, kRows * row_bytes - turns * turn);
  b.Advance(2, kRows * s.result_bytes);
  b.Loop(rows, 1);
  return b.Finish();
}

}  // namespace siliscope
