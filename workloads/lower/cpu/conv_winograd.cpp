// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "sim/core/ceil_divide.h"
#include "workloads/lower/cpu/conv_algorithms.h"
#include "workloads/lower/cpu/gemm_writer.h"
#include "workloads/lower/cpu/micro_code_builder.h"

namespace siliscope {
namespace {

constexpr std::int64_t kOut = 4, kIn = 6, kKernel = 3;  ///< of a tile, a side
// Floating-point instructions of a transform of one tile (Lavin and Gray, section 4.3), and of one
// kernel.
constexpr int kInOperations = 144, kOutOperations = 100, kKernelOperations = 72;

/// A grid of vectors: from a row to the next, and from a column to the next.
struct Grid {
  std::int64_t side = 0, row_bytes = 0, column_bytes = 0;

  std::int64_t At(int point) const {
    return point / side * row_bytes + point % side * column_bytes;
  }
  int points() const { return static_cast<int>(side * side); }
};

/// The 36 points of a tile lie in as many matrices.
Grid Points(std::int64_t matrix_bytes) { return {kIn, kIn * matrix_bytes, matrix_bytes}; }

struct Transform {
  std::string name;
  Grid from, to;
  int operations = 0;
  std::int64_t vector = 0;
  std::int64_t next_from = 0, next_to = 0;  ///< bytes to the next tile or kernel
  bool operand = false;                     ///< one more vector for each result, like the results
};

/// Pointers: from, to, operand. One loop, over tiles beside each other.
CpuCode TransformCode(const Transform& t) {
  MicroCodeBuilder b(t.name);
  constexpr int kLoaded = 16, kMade = 60, kOperand = 100;
  const int points = t.from.points(), results = t.to.points();
  const std::int32_t again = b.Here();
  for (int p = 0; p < points; ++p) b.Load(kLoaded + p, 0, t.from.At(p), t.vector);
  // Rows and columns go side by side: each step adds a value to the sum of one of them.
  for (int o = 0; o < t.operations; ++o) {
    const int to = kMade + o % results;
    b.Add(o % 3 == 0 ? MicroOpClass::kFloatAdd : MicroOpClass::kFma, to,
          o < results ? kLoaded + o % points : to, kLoaded + o * 7 % points);
  }
  for (int r = 0; r < results; ++r) {
    if (t.operand) {
      b.Load(kOperand, 2, t.to.At(r), t.vector);
      b.Add(MicroOpClass::kFloatAdd, kMade + r, kMade + r, kOperand);
    }
    b.Store(kMade + r, 1, t.to.At(r), t.vector);
  }
  b.Advance(0, t.next_from);
  b.Advance(1, t.next_to);
  if (t.operand) b.Advance(2, t.next_to);
  b.Loop(again, 0);
  return b.Finish();
}

class WinogradWriter {
 public:
  WinogradWriter(CpuLowering& lowering, std::uint32_t index, const ConvShape& s)
      : lowering_(lowering), index_(index), s_(s), op_(lowering.op(index)) {
    lanes_ = lowering.Lanes();
    vector_ = lanes_ * lowering.ElementBytes();
    in_blocks_ = CeilDivide(s.in_channels, lanes_);
    out_blocks_ = CeilDivide(s.out_channels, lanes_);
    rows_ = CeilDivide(s.out_rows, kOut);
    columns_ = CeilDivide(s.out_columns, kOut);
    tiles_ = s.images * rows_ * columns_;
    in_matrix_ = tiles_ * in_blocks_ * vector_;
    out_matrix_ = tiles_ * out_blocks_ * vector_;
    kernel_matrix_ = s.in_channels * out_blocks_ * vector_;
    const std::string& name = op_.name;
    points_ = lowering.AddBuffer(name + "_points", kIn * kIn * in_matrix_);
    products_ = lowering.AddBuffer(name + "_products", kIn * kIn * out_matrix_);
    kernels_ = lowering.AddBuffer(name + "_kernels", kIn * kIn * kernel_matrix_);
    AddEpilogue(lowering, op_, &epilogue_);
  }

  void Write() {
    if (!lowering_.cpu().library.packs_weights_once) TransformKernels();
    TransformInput();
    CpuGemm g;
    g.op = index_;
    g.batch = kIn * kIn;
    g.rows = out_blocks_ * lanes_;
    g.columns = tiles_;
    g.depth = s_.in_channels;
    g.by_rows = {kernels_, false, out_blocks_ * vector_, kernel_matrix_};
    g.by_columns = {points_, true, in_blocks_ * vector_, in_matrix_};
    g.result = products_;
    g.result_stride = out_blocks_ * vector_;
    g.result_batch_bytes = out_matrix_;
    g.rows_packed = lowering_.cpu().library.packs_weights_once;
    lowering_.info(index_).mapping = "Winograd F(4x4, 3x3), " + WriteGemm(lowering_, g);
    TransformOutput();
  }

 private:
  /// A call for each row of tiles of a block of channels, divided among threads.
  void WriteRows(const Transform& t, std::int64_t blocks, std::int64_t image_from,
                 std::int64_t image_row, std::int64_t image_plane, std::int64_t matrix_from,
                 bool into_matrices) {
    const std::uint32_t code = lowering_.CodeOf(TransformCode(t));
    const std::int64_t rows = s_.images * blocks * rows_, threads = lowering_.Threads(rows);
    lowering_.BeginRegion(index_, threads);
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t plane = r / rows_, row = r % rows_;
      const std::int64_t image = plane / blocks, block = plane % blocks;
      const std::int64_t in_image = image_from + plane * image_plane + row * image_row;
      const std::int64_t in_matrix =
          matrix_from + ((image * rows_ + row) * columns_ * blocks + block) * vector_;
      CpuCall call;
      call.code = code;
      call.trips = {columns_};
      call.pointers = {into_matrices ? in_image : in_matrix, into_matrices ? in_matrix : in_image};
      if (t.operand) {
        call.pointers.push_back(epilogue_.epilogue_operand + plane * image_plane + row * image_row);
      }
      lowering_.Call(r * threads / rows, call);
    }
  }

  void TransformInput() {
    Transform t;
    const std::int64_t row = s_.in_columns * vector_;
    t.name = fmt::format("winograd_in_{}_{}_{}", row, in_matrix_, in_blocks_);
    t.from = {kIn, row, vector_};
    t.to = Points(in_matrix_);
    t.operations = kInOperations;
    t.vector = vector_;
    t.next_from = kOut * vector_;
    t.next_to = in_blocks_ * vector_;
    WriteRows(t, in_blocks_, lowering_.AddressOf(op_.inputs[0]), kOut * row, s_.in_rows * row,
              points_, true);
  }

  void TransformOutput() {
    Transform t;
    const std::int64_t row = s_.out_columns * vector_;
    t.operand = epilogue_.epilogue_operand >= 0;
    t.name = fmt::format("winograd_out_{}_{}_{}_{}_{}", row, out_matrix_, out_blocks_,
                         epilogue_.epilogue_operations, t.operand);
    t.from = Points(out_matrix_);
    t.to = {kOut, row, vector_};
    t.operations = kOutOperations + t.to.points() * epilogue_.epilogue_operations;
    t.vector = vector_;
    t.next_from = out_blocks_ * vector_;
    t.next_to = kOut * vector_;
    WriteRows(t, out_blocks_, lowering_.AddressOf(op_.outputs.front()), kOut * row,
              s_.out_rows * row, products_, false);
  }

  void TransformKernels() {
    Transform t;
    t.name = fmt::format("winograd_kernels_{}", kernel_matrix_);
    t.from = {kKernel, kKernel * vector_, vector_};
    t.to = Points(kernel_matrix_);
    t.operations = kKernelOperations;
    t.vector = vector_;
    t.next_from = kKernel * kKernel * vector_;
    t.next_to = vector_;
    const std::uint32_t code = lowering_.CodeOf(TransformCode(t));
    const std::int64_t kernels = s_.in_channels * out_blocks_;
    const std::int64_t threads = lowering_.Threads(kernels);
    const std::int64_t weights = lowering_.AddressOf(op_.inputs[1]);
    lowering_.BeginRegion(index_, threads);
    for (std::int64_t thread = 0; thread < threads; ++thread) {
      const std::int64_t first = kernels * thread / threads;
      CpuCall call;
      call.code = code;
      call.trips = {kernels * (thread + 1) / threads - first};
      call.pointers = {weights + first * t.next_from, kernels_ + first * vector_};
      lowering_.Call(thread, call);
    }
  }

  CpuLowering& lowering_;
  std::uint32_t index_;
  const ConvShape& s_;
  const Operator& op_;
  std::int64_t lanes_, vector_, in_blocks_, out_blocks_;
  std::int64_t rows_, columns_, tiles_;                  ///< of tiles
  std::int64_t in_matrix_, out_matrix_, kernel_matrix_;  ///< bytes of one of the 36
  std::int64_t points_, products_, kernels_;             ///< addresses
  CpuGemm epilogue_;
};

}  // namespace

bool WriteWinograd(CpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  const ConvShape s = ConvShapeOf(lowering.graph(), op);
  const bool square = s.kernel_rows == kKernel && s.kernel_columns == kKernel;
  const bool plain = s.stride == 1 && s.stride_down == 1 && s.dilation == 1 && s.dilation_down == 1;
  if (op.kind != "conv" || !square || !plain || s.groups > 1 || lowering.Group() > 1) return false;
  WinogradWriter(lowering, index, s).Write();
  return true;
}

}  // namespace siliscope
