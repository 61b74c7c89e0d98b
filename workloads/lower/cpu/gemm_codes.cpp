// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/cpu/gemm_codes.h"

#include <fmt/format.h>

#include <algorithm>

#include "workloads/lower/cpu/micro_code_builder.h"

namespace siliscope {
namespace {

constexpr int kAccumulators = 100;

/// Bytes of the v-th vector of `rows`.
std::int64_t BytesOf(const GemmCodeShape& s, std::int64_t rows, std::int64_t vector) {
  return std::min(s.vector_bytes, rows * s.element_bytes - vector * s.vector_bytes);
}

}  // namespace

CpuCode TileCode(const GemmCodeShape& s, std::int64_t rows, std::int64_t columns,
                 std::int64_t depth, std::int64_t row_bytes) {
  MicroCodeBuilder b(
      fmt::format("gemm_{}x{}_{}_{}_{}", rows, columns, 8 * s.element_bytes, depth, row_bytes));
  const std::int64_t vectors = s.VectorsOf(rows), e = s.element_bytes;
  const bool pairs = s.broadcast_pairs && columns > 1;
  const std::int32_t tile = b.Here();
  for (std::int64_t a = 0; a < vectors * columns; ++a) {  // cleared
    b.Add(MicroOpClass::kInteger, static_cast<int>(kAccumulators + a));
  }
  const std::int32_t step = b.Here();
  const std::int64_t copies = pairs ? 2 : 1;  // even and odd rows, each doubled
  for (std::int64_t v = 0; v < vectors; ++v) {
    for (std::int64_t c = 0; c < copies; ++c) {
      b.Load(static_cast<int>(2 * v + c), 0, v * s.vector_bytes, BytesOf(s, rows, v));
    }
  }
  for (std::int64_t j = 0; j < columns; ++j) {
    const int broadcast = static_cast<int>(16 + j % 16);
    const bool loads = !pairs || j % 2 == 0;
    const int value = loads ? broadcast : broadcast - 1;
    if (loads) b.Load(value, 1, j * e, pairs ? 2 * e : e);
    for (std::int64_t v = 0; v < vectors; ++v) {
      const int sum = static_cast<int>(kAccumulators + j * vectors + v);
      const int operand = static_cast<int>(2 * v + (pairs ? j % 2 : 0));
      b.Add(MicroOpClass::kFma, sum, operand, value, sum).flops =
          2 * static_cast<float>(BytesOf(s, rows, v)) / static_cast<float>(e);
    }
  }
  b.Advance(0, rows * e);
  b.Advance(1, columns * e);
  b.Loop(step, 0);
  for (std::int64_t j = 0; j < columns; ++j) {
    for (std::int64_t v = 0; v < vectors; ++v) {
      const int sum = static_cast<int>(kAccumulators + j * vectors + v);
      const std::int64_t at = j * row_bytes + v * s.vector_bytes;
      b.Load(40, 2, at, BytesOf(s, rows, v));
      b.Add(MicroOpClass::kFma, sum, sum, 40);
      b.Store(sum, 2, at, BytesOf(s, rows, v));
    }
  }
  b.Advance(1, -depth * columns * e);
  b.Advance(2, rows * e);
  b.Loop(tile, 1);
  return b.Finish();
}

CpuCode PackRowsCode(const GemmCodeShape& s, std::int64_t rows, std::int64_t depth,
                     std::int64_t row_bytes) {
  MicroCodeBuilder b(
      fmt::format("pack_rows_{}_{}_{}_{}", rows, 8 * s.element_bytes, depth, row_bytes));
  const std::int64_t e = s.element_bytes;
  const std::int32_t step = b.Here();
  for (std::int64_t v = 0; v < s.VectorsOf(rows); ++v) {
    b.Load(static_cast<int>(v), 0, v * s.vector_bytes, BytesOf(s, rows, v));
    b.Store(static_cast<int>(v), 1, v * s.vector_bytes, BytesOf(s, rows, v));
  }
  b.Advance(0, row_bytes);
  b.Advance(1, rows * e);
  b.Loop(step, 0);
  b.Advance(0, rows * e - depth * row_bytes);
  b.Loop(step, 1);
  return b.Finish();
}

CpuCode PackColumnsCode(const GemmCodeShape& s, std::int64_t columns, std::int64_t row_bytes) {
  MicroCodeBuilder b(fmt::format("pack_columns_{}_{}_{}", columns, 8 * s.element_bytes, row_bytes));
  constexpr std::int64_t kSteps = 4;
  const std::int64_t e = s.element_bytes;
  const std::int32_t step = b.Here();
  for (std::int64_t j = 0; j < columns; ++j) {
    b.Load(static_cast<int>(j % 64), 0, j * row_bytes, kSteps * e);
    b.Add(MicroOpClass::kShuffle, static_cast<int>(64 + j % 64), static_cast<int>(j % 64));
    b.Add(MicroOpClass::kShuffle, static_cast<int>(64 + j % 64), static_cast<int>(64 + j % 64));
  }
  for (std::int64_t at = 0; at < columns * kSteps * e; at += kSteps * e) {
    b.Store(static_cast<int>(64 + at / (kSteps * e) % 64), 1, at, kSteps * e);
  }
  b.Advance(0, kSteps * e);
  b.Advance(1, columns * kSteps * e);
  b.Loop(step, 0);
  return b.Finish();
}

CpuCode VectorProductCode(const GemmCodeShape& s, std::int64_t columns) {
  MicroCodeBuilder b(fmt::format("gemv_{}_{}", 8 * s.element_bytes, columns));
  constexpr int kRows = 4, kUnroll = 4;
  const std::int64_t e = s.element_bytes, row_bytes = columns * e;
  const std::int64_t turn = kUnroll * s.vector_bytes;
  const std::int64_t turns = (row_bytes + turn - 1) / turn;
  const std::int32_t pass = b.Here();
  for (int r = 0; r < kRows; ++r) b.Load(32 + r, 0, r * e, e);
  const std::int32_t again = b.Here();
  for (int u = 0; u < kUnroll; ++u) {
    const std::int64_t at = u * s.vector_bytes;
    b.Load(64 + u, 2, at, s.vector_bytes);
    for (int r = 0; r < kRows; ++r) {
      const int value = 80 + u * kRows + r;
      b.Load(value, 1, r * row_bytes + at, s.vector_bytes);
      b.Add(MicroOpClass::kFma, 64 + u, value, 32 + r, 64 + u).flops =
          2 * static_cast<float>(s.vector_bytes) / static_cast<float>(e);
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

}  // namespace siliscope
