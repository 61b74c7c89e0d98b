// SPDX-License-Identifier: Apache-2.0
// softmax and normalisations: a thread takes whole rows, each in passes that find it in the caches.
#include "workloads/lower/cpu/row_lowering.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "sim/core/ceil_divide.h"
#include "workloads/lower/cpu/micro_code_builder.h"

namespace siliscope {
namespace {

/// Operations of a pass on each vector, and of what it does with them.
struct RowPass {
  int operations = 1, sums = 0;  ///< sums: of which go into an accumulator
  bool writes = false;
};

constexpr int kUnroll = 2;

/// Loops: the vectors of each pass, then rows. Pointers: input, output.
CpuCode RowCode(const std::string& name, const std::vector<RowPass>& passes, std::int64_t row_bytes,
                std::int64_t vector, std::int64_t element) {
  MicroCodeBuilder b(fmt::format("{}_{}_{}", name, row_bytes, vector));
  const std::int64_t turn = kUnroll * vector;
  const std::int64_t turns = std::max<std::int64_t>(1, CeilDivide(row_bytes, turn));
  const std::int32_t row = b.Here();
  for (std::size_t p = 0; p < passes.size(); ++p) {
    const RowPass& pass = passes[p];
    const std::int32_t again = b.Here();
    for (int u = 0; u < kUnroll; ++u) {
      const int value = 16 + u;
      const int from = p > 0 && passes[p - 1].writes ? 1 : 0;  // what the pass before has written
      b.Load(value, from, u * vector, vector);
      for (int n = 0; n < pass.operations; ++n) {
        b.Add(n % 2 == 0 ? MicroOpClass::kFloatAdd : MicroOpClass::kFma, value, value).flops =
            static_cast<float>(vector) / static_cast<float>(element);
      }
      for (int n = 0; n < pass.sums; ++n) {
        b.Add(MicroOpClass::kFloatAdd, 100 + n * kUnroll + u, 100 + n * kUnroll + u, value).flops =
            static_cast<float>(vector) / static_cast<float>(element);
      }
      if (pass.writes) b.Store(value, 1, u * vector, vector);
    }
    b.Advance(0, turn);
    b.Advance(1, turn);
    b.Loop(again, static_cast<int>(p));
    for (std::int64_t lanes = vector / element; pass.sums > 0 && lanes > 0; lanes /= 2) {
      b.Add(MicroOpClass::kShuffle, 120, 100);
      b.Add(MicroOpClass::kFloatAdd, 100, 100, 120);
    }
    const bool last = p + 1 == passes.size();
    b.Advance(0, (last ? row_bytes : 0) - turns * turn);
    b.Advance(1, (last ? row_bytes : 0) - turns * turn);
  }
  b.Add(MicroOpClass::kDivide, 121, 100);
  b.Loop(row, static_cast<int>(passes.size()));
  return b.Finish();
}

void WriteRows(CpuLowering& lowering, std::uint32_t index, const std::string& name,
               const std::vector<RowPass>& passes, const CpuRows& rows) {
  const std::int64_t vector = lowering.cpu().core.vector_bytes, e = lowering.ElementBytes();
  const std::int64_t row_bytes = rows.columns * e;
  const std::int64_t threads = lowering.Threads(std::min(rows.rows, rows.rows * row_bytes / 2048));
  lowering.BeginRegion(index, threads);
  const std::uint32_t code = lowering.CodeOf(RowCode(name, passes, row_bytes, vector, e));
  for (std::int64_t t = 0; t < threads; ++t) {
    const std::int64_t first = rows.rows * t / threads, last = rows.rows * (t + 1) / threads;
    if (first == last) continue;
    CpuCall call;
    call.code = code;
    for (std::size_t p = 0; p < passes.size(); ++p) {
      call.trips.push_back(std::max<std::int64_t>(1, CeilDivide(row_bytes, kUnroll * vector)));
    }
    call.trips.push_back(last - first);
    call.pointers = {rows.input + first * row_bytes, rows.output + first * row_bytes};
    lowering.Call(t, call);
  }
}

CpuRows RowsOf(CpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  const Tensor& x = lowering.graph().tensor(op.inputs[0]);
  CpuRows rows;
  rows.columns = std::max<std::int64_t>(1, x.shape.empty() ? 1 : x.shape.back());
  rows.rows = x.elements() / rows.columns;
  rows.input = lowering.AddressOf(op.inputs[0]);
  rows.output = lowering.AddressOf(op.outputs.front());
  return rows;
}

void LowerSoftmax(CpuLowering& lowering, std::uint32_t index) {
  WriteSoftmax(lowering, index, RowsOf(lowering, index));
}
void LowerLayerNorm(CpuLowering& lowering, std::uint32_t index) {
  WriteRows(lowering, index, "layer_norm", {{0, 1, false}, {1, 1, false}, {3, 0, true}},
            RowsOf(lowering, index));
}
void LowerRmsNorm(CpuLowering& lowering, std::uint32_t index) {
  WriteRows(lowering, index, "rms_norm", {{0, 1, false}, {2, 0, true}}, RowsOf(lowering, index));
}

const bool kSoftmax = CpuLowerRegistry::Instance().Add("softmax", &LowerSoftmax);
const bool kLayerNorm = CpuLowerRegistry::Instance().Add("layer_norm", &LowerLayerNorm);
const bool kRmsNorm = CpuLowerRegistry::Instance().Add("rms_norm", &LowerRmsNorm);

}  // namespace

void WriteSoftmax(CpuLowering& lowering, std::uint32_t index, const CpuRows& rows) {
  constexpr int kExponential = 13;  // as elementwise codes have it, and the largest taken off
  WriteRows(lowering, index, "softmax", {{0, 1, false}, {kExponential, 1, true}, {1, 0, true}},
            rows);
}

}  // namespace siliscope
