// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/gpu/row_kernel.h"

#include <fmt/format.h>

#include <algorithm>

#include "workloads/lower/gpu/warp_program_builder.h"

namespace siliscope {
namespace {

constexpr std::int64_t kWarpColumns = 1024;  ///< a warp keeps so much of a row in its registers
constexpr int kDivisionFp32 = 5;             ///< steps of Newton's method and the quotient

OperandStream RowStream(std::uint32_t tensor, std::int64_t rows, std::int64_t bytes,
                        std::int64_t step_bytes) {
  OperandStream s;
  s.tensor = tensor;
  s.rows = rows;
  s.row_bytes = std::min(bytes, step_bytes);
  s.row_i = rows;
  s.byte_step = s.row_bytes;
  return s;
}

/// A division as IEEE 754 wants it: a check for operands out of range (a special function), steps
/// of Newton's method, and a branch to the rare path, which the lanes join again: no other
/// element's division overlaps it.
void WriteDivision(WarpProgramBuilder& b) {
  b.Add(WarpOpcode::kSfu, 33, 32);
  b.Add(WarpOpcode::kInteger, 33, 33);
  for (int i = 0; i < kDivisionFp32; ++i) b.Add(WarpOpcode::kFp32, 33, 33);
  b.Add(WarpOpcode::kInteger, 32, 33);
}

/// Arithmetic of `elements` values that lie in `registers` from `from` on, in chains of their own.
void WriteElements(WarpProgramBuilder& b, const ElementWork& work, int elements, int from,
                   int registers) {
  const int chains = std::min(elements, 4);
  for (int i = 0; i < work.fp32 * elements; ++i) {
    b.Add(WarpOpcode::kFp32, 32 + i % chains, from + i % registers, 32 + i % chains);
  }
  for (int i = 0; i < work.integer * elements; ++i) {
    b.Add(WarpOpcode::kInteger, 36 + i % 4, from + i % registers, 36 + i % 4);
  }
  for (int i = 0; i < work.special * elements; ++i) {
    b.Add(WarpOpcode::kSfu, 32 + i % chains, 32 + i % chains);
  }
  for (int i = 0; i < work.divisions * elements; ++i) WriteDivision(b);
}

/// One step of a pass: a load of each thread and of each parameter, its arithmetic, perhaps a
/// store.
void WriteStep(WarpProgramBuilder& b, const RowWork& w, const ElementWork& work,
               const std::vector<std::uint16_t>& loads, std::uint16_t store, bool stores,
               int vector) {
  for (std::size_t i = 0; i < loads.size(); ++i) {
    b.Memory(WarpOpcode::kLoadGlobal, loads[i], 16 + 4 * static_cast<int>(i), 4);
  }
  if (w.welford && !stores) {  // each element's update needs the one before
    for (int i = 0; i < vector; ++i) {
      b.Add(WarpOpcode::kFp32, 33, 16 + i % 4, 32);
      b.Add(WarpOpcode::kSfu, 34, 33);
      b.Add(WarpOpcode::kFp32, 34, 34, 33);
      b.Add(WarpOpcode::kFp32, 32, 34, 32);
      b.Add(WarpOpcode::kFp32, 35, 33, 35);
    }
    b.Overhead(3, 4);
    return;
  }
  WriteElements(b, work, vector, 16, 4 * static_cast<int>(loads.size()));
  if (stores) b.Memory(WarpOpcode::kStoreGlobal, store, 32, 4);
  b.Overhead(3, 4);
}

/// One value of another lane joins: a sum, or two means and deviations (Welford, with a division).
void WriteCombine(WarpProgramBuilder& b, std::uint16_t shared, bool welford) {
  for (int i = 0; i < (welford ? 3 : 1); ++i) {
    b.Memory(WarpOpcode::kLoadShared, shared, 40 + i, 1);  // shuffle
  }
  if (welford) {
    b.Add(WarpOpcode::kFp32, 44, 42, 32);
    b.Add(WarpOpcode::kSfu, 44, 44);
    b.Add(WarpOpcode::kFp32, 44, 44, 44);
    b.Add(WarpOpcode::kFp32, 44, 44, 40);
  }
  b.Add(WarpOpcode::kFp32, 32, welford ? 44 : 40, 32);
}

/// Over the lanes of a warp, and over the warps of a CTA through shared memory.
void WriteReduction(WarpProgramBuilder& b, bool across_warps, std::uint16_t shared,
                    bool welford = false) {
  for (int i = 0; i < 5; ++i) WriteCombine(b, shared, welford);
  if (!across_warps) return;
  b.Memory(WarpOpcode::kStoreShared, shared, 32);
  b.WithOperand(WarpOpcode::kBarrier, 0);
  b.Memory(WarpOpcode::kLoadShared, shared, 40, 1);
  for (int i = 0; i < (welford ? 2 : 5); ++i) WriteCombine(b, shared, welford);
  b.WithOperand(WarpOpcode::kBarrier, 0);
}

std::int64_t Bytes(const RowWork& w, std::int64_t elements) {
  return static_cast<std::int64_t>(static_cast<double>(elements) * w.bytes);
}
std::int64_t ParameterBytes(const RowWork& w, std::int64_t elements) {
  return static_cast<std::int64_t>(static_cast<double>(elements) * w.parameter_bytes);
}

/// Over the values of all threads in shared memory: the first warp adds up 32 of each warp, a lane
/// a warp, at addresses that meet in one bank; then the first thread adds up what they have found.
/// Source: PyTorch 2.0, aten/src/ATen/native/cuda/SoftMax.cu, blockReduce.
void WriteFirstWarpReduction(WarpProgramBuilder& b, std::int64_t warps, bool first) {
  WarpAccess row;  // each lane its own row of 32 values
  row.lane_stride = 32 * 4;
  WarpAccess one;
  one.lane_stride = -1;
  const std::uint16_t all = b.Access(WarpAccess{}), rows = b.Access(row), same = b.Access(one);
  b.WithOperand(WarpOpcode::kBarrier, 0);
  b.Memory(WarpOpcode::kStoreShared, all, 32);
  b.WithOperand(WarpOpcode::kBarrier, 0);
  if (first) {
    for (int i = 0; i < 32; ++i) {
      b.Memory(WarpOpcode::kLoadShared, rows, 64 + i).lanes = static_cast<std::uint8_t>(warps);
    }
    for (int i = 0; i < 32; ++i) b.Add(WarpOpcode::kFp32, 32, 64 + i, 32);
    b.Memory(WarpOpcode::kStoreShared, all, 32);
  }
  b.WithOperand(WarpOpcode::kBarrier, 0);
  if (first) {
    const std::int32_t loop = b.Here();
    b.Memory(WarpOpcode::kLoadShared, same, 40).lanes = 1;
    b.Add(WarpOpcode::kFp32, 32, 40, 32);
    b.Overhead(2, 4);
    b.Loop(loop, static_cast<int>(warps));
    b.Memory(WarpOpcode::kStoreShared, same, 32).lanes = 1;
  }
  b.WithOperand(WarpOpcode::kBarrier, 0);
  b.Memory(WarpOpcode::kLoadShared, same, 32);
}

/// Floating-point work of an element in all passes, a special function as four.
double Fp32OfElement(const RowWork& w) {
  int sum = 0;
  for (const ElementWork& pass : w.passes) {
    sum += pass.fp32 + 4 * pass.special + (kDivisionFp32 + 4) * pass.divisions;
  }
  return sum;
}

/// Whole vectors of all threads, then what is left: element by element, or one vector cut short.
struct RowSteps {
  std::int64_t whole = 0, scalar = 0;
};

RowSteps StepsOfRow(const RowWork& w) {
  const std::int64_t vectors = w.threads * w.vector;
  if (!w.scalar_tail) return {(w.columns + vectors - 1) / vectors, 0};
  const std::int64_t whole = w.columns / vectors;
  return {whole, (w.columns - whole * vectors + w.threads - 1) / w.threads};
}

/// Streams of a block kernel: x and y in vectors, x and y in single elements, then each parameter
/// in vectors and in single elements.
constexpr std::uint16_t kFirstParameter = 4;

/// The passes of a block kernel: each the whole vectors, then the rest.
std::vector<KernelPass> PassesOf(const RowWork& w) {
  const RowSteps steps = StepsOfRow(w);
  std::vector<KernelPass> passes;
  for (std::size_t p = 0; p < w.passes.size(); ++p) {
    for (const std::uint16_t tail : {std::uint16_t{0}, std::uint16_t{2}}) {
      KernelPass pass;
      pass.steps = tail == 0 ? steps.whole : steps.scalar;
      if (pass.steps == 0) continue;
      pass.ring = w.ring;
      pass.through_l1 = !w.past_l1;
      pass.touches = tail == 0 ? 0 : static_cast<std::int32_t>(steps.whole);
      pass.rereads = p > 0;
      pass.joins = tail != 0 || steps.scalar == 0;
      pass.loads = {tail};
      if (p + 1 == w.passes.size()) {
        pass.stores = {static_cast<std::uint16_t>(tail + 1)};
        for (std::size_t i = 0; i < w.parameters.size(); ++i) {
          pass.loads.push_back(static_cast<std::uint16_t>(kFirstParameter + 2 * i + tail / 2));
        }
      }
      passes.push_back(pass);
    }
  }
  return passes;
}

/// Of the warps from `first_warp` on.
WarpProgram BlockProgram(const RowWork& w, const std::vector<KernelPass>& passes,
                         std::int64_t first_warp) {
  WarpProgramBuilder b;
  std::vector<std::uint16_t> accesses;
  for (std::size_t i = 0; i < kFirstParameter + 2 * w.parameters.size(); ++i) {
    const bool parameter = i >= kFirstParameter, vector = parameter ? i % 2 == 0 : i < 2;
    const std::int64_t elements = vector ? w.vector : 1;
    const std::int64_t bytes = parameter ? ParameterBytes(w, elements) : Bytes(w, elements);
    WarpAccess access;
    access.stream = static_cast<std::uint16_t>(i);
    access.bytes_per_lane = static_cast<std::uint8_t>(std::clamp<std::int64_t>(bytes, 1, 16));
    access.warp_bytes = 32 * access.bytes_per_lane;
    access.offset = first_warp * access.warp_bytes;
    access.past_l1 = w.past_l1 && !parameter;
    accesses.push_back(b.Access(access));
  }
  const std::uint16_t shared = b.Access(WarpAccess{});
  b.Prologue(40);
  std::size_t over_row = 0;
  for (std::size_t p = 0; p < passes.size(); ++p) {
    const KernelPass& pass = passes[p];
    const std::uint16_t tail = pass.loads.front();
    b.Phase(static_cast<int>(p));
    const std::int32_t loop = b.Here();
    std::vector<std::uint16_t> loads;
    for (const std::uint16_t stream : pass.loads) loads.push_back(accesses[stream]);
    WriteStep(b, w, w.passes[over_row], loads, accesses[tail + 1], !pass.stores.empty(),
              tail == 0 ? static_cast<int>(w.vector) : 1);
    b.LoopPass(loop, static_cast<int>(p));
    const bool ends = p + 1 < passes.size() && passes[p + 1].loads.front() <= tail;
    if (!ends) continue;
    ++over_row;
    if (w.first_warp_reduces) {
      WriteFirstWarpReduction(b, w.threads / 32, first_warp == 0);
    } else {
      WriteReduction(b, true, shared, w.welford);
    }
  }
  return b.Finish();
}

/// A CTA a row, in passes.
GpuKernel BlockKernel(const RowWork& w, std::uint32_t x, std::uint32_t y) {
  GpuKernel k;
  k.name = fmt::format("{}_block{}_vec{}", w.name, w.threads, w.vector);
  k.dtype = "fp32";
  k.warps = w.threads / 32;
  k.registers_per_thread = 32;
  k.tile = fmt::format("1 row, {} threads", w.threads);
  k.grid.rows = w.rows;
  const std::int64_t row_bytes = Bytes(w, w.columns);
  const std::int64_t vector_bytes = Bytes(w, w.threads * w.vector);
  const std::int64_t scalar_bytes = Bytes(w, w.threads);
  const RowSteps steps = StepsOfRow(w);
  k.streams = {RowStream(x, 1, row_bytes, vector_bytes), RowStream(y, 1, row_bytes, vector_bytes),
               RowStream(x, 1, row_bytes, scalar_bytes), RowStream(y, 1, row_bytes, scalar_bytes)};
  for (const std::uint32_t parameter : w.parameters) {
    for (const std::int64_t elements : {w.threads * w.vector, w.threads}) {
      OperandStream s =
          RowStream(parameter, 1, ParameterBytes(w, w.columns), ParameterBytes(w, elements));
      s.row_i = 0;
      s.stays_in_l1 = true;
      k.streams.push_back(s);
    }
  }
  for (std::size_t s = 2; s < k.streams.size(); ++s) {
    if (s >= kFirstParameter && s % 2 == 0) continue;  // whole vectors
    const std::int64_t each = k.streams[s].row_bytes;
    const std::int64_t begin = steps.whole * w.vector * each;
    for (std::int64_t i = 0; i < steps.scalar; ++i) {
      k.streams[s].step_offsets.emplace_back(0, begin + i * each);
    }
  }
  k.shared_bytes = w.first_warp_reduces ? 4 * w.threads : 256;
  k.passes = PassesOf(w);
  k.fp32_per_cta = static_cast<double>(w.columns) * Fp32OfElement(w);
  if (w.first_warp_reduces && k.warps > 1) {
    k.roles = {{"first", 1, BlockProgram(w, k.passes, 0)},
               {"rest", k.warps - 1, BlockProgram(w, k.passes, 1)}};
  } else {
    k.roles = {{"main", k.warps, BlockProgram(w, k.passes, 0)}};
  }
  return k;
}

/// Rows of one warp each, kept in registers.
GpuKernel WarpKernel(const RowWork& w, std::uint32_t x, std::uint32_t y) {
  constexpr std::int64_t kWarps = 4;
  GpuKernel k;
  k.name = fmt::format("{}_warp_per_row", w.name);
  k.dtype = "fp32";
  k.warps = kWarps;
  const std::int64_t per_thread = (w.columns + 31) / 32;
  k.registers_per_thread = 24 + per_thread;
  const std::int64_t rows_a_warp = w.columns <= 128 ? 2 : 1;
  k.tile = fmt::format("{} rows", kWarps * rows_a_warp);
  k.grid.rows = (w.rows + kWarps * rows_a_warp - 1) / (kWarps * rows_a_warp);
  const auto row_bytes = static_cast<std::int64_t>(static_cast<double>(w.columns) * w.bytes);
  k.streams = {RowStream(x, kWarps * rows_a_warp, row_bytes, row_bytes),
               RowStream(y, kWarps * rows_a_warp, row_bytes, row_bytes)};
  KernelPass pass;
  pass.through_l1 = true;
  pass.loads = {0};
  pass.stores = {1};
  k.passes = {pass};
  WarpProgramBuilder b;
  WarpAccess access;
  access.stream = 0;
  access.bytes_per_lane = static_cast<std::uint8_t>(std::max(1.0, w.bytes));
  access.warp_rows = rows_a_warp;
  const int elements = static_cast<int>(per_thread * rows_a_warp);
  std::vector<std::uint16_t> loads, stores;
  for (int i = 0; i < elements; ++i) {
    access.row = i / per_thread;
    access.offset = i % per_thread * 32 * access.bytes_per_lane;
    access.stream = 0;
    loads.push_back(b.Access(access));
    access.stream = 1;
    stores.push_back(b.Access(access));
  }
  const std::uint16_t shared = b.Access(WarpAccess{});
  b.Prologue(40);
  b.Phase(0);
  const std::int32_t loop = b.Here();
  for (int i = 0; i < elements; ++i) {
    b.Memory(WarpOpcode::kLoadGlobal, loads[static_cast<std::size_t>(i)], 48 + i % 200);
  }
  for (std::size_t p = 0; p < w.passes.size(); ++p) {
    WriteElements(b, w.passes[p], elements, 48, std::min(elements, 200));
    if (p + 1 < w.passes.size()) WriteReduction(b, false, shared);
  }
  for (int i = 0; i < elements; ++i) {
    b.Memory(WarpOpcode::kStoreGlobal, stores[static_cast<std::size_t>(i)], 48 + i % 200);
  }
  b.LoopPass(loop, 0);
  k.fp32_per_cta = static_cast<double>(w.columns * kWarps * rows_a_warp) * Fp32OfElement(w);
  k.roles = {{"main", k.warps, b.Finish()}};
  return k;
}

}  // namespace

RowWork SoftmaxWork(std::int64_t rows, std::int64_t columns, double bytes) {
  // As CUDA compiles single precision's exp and division; values of two bytes are converted.
  constexpr ElementWork kExponential{6, 1, 1}, kOne{1};
  const ElementWork convert{bytes < 4 ? 1 : 0};
  const ElementWork exponential = kOne + kExponential;  // of what is left of the maximum
  RowWork work;
  work.name = "softmax";
  work.rows = rows;
  work.columns = columns;
  work.bytes = bytes;
  work.scalar_tail = true;
  work.first_warp_reduces = true;
  const bool in_registers = columns <= kWarpColumns;  // exponentials are kept
  // Divisions of a warp that keeps its row are taken to overlap: in turn they would be a chain so
  // long that tiles, which pass an SM's pipes one CTA after another, overstate it for few CTAs.
  const ElementWork division = in_registers ? ElementWork{6, 2, 1} : ElementWork{0, 0, 0, 1};
  work.passes = {convert + kOne, exponential + kOne, division + convert};
  if (!in_registers) {
    work.passes[1] = work.passes[1] + convert;
    work.passes[2] = work.passes[2] + convert + exponential;
  }
  return work;
}

GpuKernel MakeRowKernel(RowWork work, std::uint32_t x, std::uint32_t y) {
  const bool softmax = work.name == "softmax";
  if (softmax && work.columns <= kWarpColumns) return WarpKernel(work, x, y);
  if (softmax) {
    // Loads of 16 bytes; a power of two of threads, so that each has two loads or a little less.
    work.vector = std::max<std::int64_t>(1, static_cast<std::int64_t>(16 / work.bytes));
    work.threads = 32;
    const std::int64_t most = std::min<std::int64_t>(1024, work.columns / work.vector) / 2;
    while (work.threads < most) work.threads *= 2;
  }
  return BlockKernel(work, x, y);
}

}  // namespace siliscope
