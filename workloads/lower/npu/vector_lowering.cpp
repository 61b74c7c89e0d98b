// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/npu/vector_lowering.h"

#include <algorithm>

namespace siliscope {
namespace {

/// Rows of one command: enough to amortise issue, few enough that stores overlap.
constexpr std::int64_t kBlockElements = 1 << 20;
constexpr std::int64_t kMostBlocks = 512;

std::int64_t BlockRows(std::int64_t rows, std::int64_t columns, std::int64_t most_elements) {
  const std::int64_t by_size =
      std::max<std::int64_t>(1, most_elements / std::max<std::int64_t>(1, columns));
  return std::max<std::int64_t>(
      {1, std::min(rows, by_size), (rows + kMostBlocks - 1) / kMostBlocks});
}

CommandId EmitOne(NpuLowering& lowering, std::uint32_t op, std::int64_t core, std::uint16_t work,
                  std::int64_t rows, std::int64_t columns, const CommandIds& dependencies) {
  NpuCommand vector;
  vector.opcode = NpuOpcode::kVector;
  vector.core = static_cast<std::uint16_t>(core);
  vector.op = op;
  vector.vector_work = work;
  vector.rows = static_cast<std::int32_t>(std::min<std::int64_t>(rows, 1 << 30));
  vector.width = static_cast<std::int32_t>(std::min<std::int64_t>(columns, 1 << 30));
  return lowering.builder().Add(vector, dependencies);
}

/// One core's share of a vector task.
class VectorEmitter {
 public:
  VectorEmitter(NpuLowering& lowering, std::uint32_t op, const VectorTask& task, TensorHome& result,
                std::int64_t core, std::int64_t row_begin, std::int64_t row_end)
      : lowering_(lowering),
        op_(op),
        task_(task),
        result_(result),
        core_(core),
        row_begin_(row_begin),
        row_end_(row_end) {}

  CommandIds Run() {
    const std::uint16_t work = lowering_.builder().AddVectorWork(task_.work);
    CommandIds always;  // operands that are on chip, or come whole
    for (const VectorInput& input : task_.inputs) {
      const TensorHome& home = lowering_.home(input.tensor);
      if (home.on_chip) {
        AddDependencies(&always, home.ready);
      } else if (input.whole) {
        const CommandId load = lowering_.Copy(NpuOpcode::kLoad, op_, core_, home, 0,
                                              input.Bytes(lowering_), false, home.ready);
        AddDependency(&always, load);
      } else {
        streamed_.push_back(&input);
      }
    }
    if (result_.on_chip) {
      AddDependencies(&always, result_.regions[static_cast<std::size_t>(core_)].wait_for);
    }
    const bool passes_memory = !streamed_.empty() || !result_.on_chip;
    const std::int64_t pad = lowering_.allocator(core_).size();
    const std::int64_t buffers = lowering_.npu().mapping.buffers;
    // Blocks in flight take an eighth of the scratchpad.
    const std::int64_t element_bytes = std::max<std::int64_t>(1, lowering_.ActivationBytes(8) / 8);
    const std::int64_t most =
        passes_memory
            ? std::clamp<std::int64_t>(
                  pad / 8 /
                      (buffers * element_bytes * static_cast<std::int64_t>(streamed_.size() + 1)),
                  1, kBlockElements)
            : kBlockElements;
    const std::int64_t rows = BlockRows(row_end_ - row_begin_, task_.columns, most);
    std::vector<CommandIds> loads;
    std::vector<std::int64_t> begins;
    for (std::int64_t r = row_begin_; r < row_end_; r += rows) begins.push_back(r);
    std::vector<CommandId> ring(static_cast<std::size_t>(buffers), kNone);
    for (std::size_t b = 0; b < begins.size(); ++b) {
      for (std::size_t ahead = loads.size();
           ahead < std::min(begins.size(), b + static_cast<std::size_t>(buffers)); ++ahead) {
        loads.push_back(Load(begins[ahead], std::min(row_end_, begins[ahead] + rows),
                             ring[ahead % ring.size()]));
      }
      CommandIds dependencies = always;
      AddDependencies(&dependencies, loads[b]);
      CommandId done =
          EmitOne(lowering_, op_, core_, work, std::min(row_end_, begins[b] + rows) - begins[b],
                  task_.columns, dependencies);
      last_vector_ = done;
      const bool leaves = !result_.on_chip && (!task_.sums_rows || b + 1 == begins.size());
      if (leaves) {
        const std::int64_t from = task_.sums_rows ? row_begin_ : begins[b];
        const CommandId store = Store(from, std::min(row_end_, begins[b] + rows), done);
        if (store != kNone) finals_.push_back(done = store);
      }
      ring[b % ring.size()] = done;
    }
    for (const VectorInput& input : task_.inputs) {
      lowering_.AddReaders(input.tensor, {last_vector_});
    }
    if (result_.on_chip || finals_.empty()) finals_.push_back(last_vector_);
    return finals_;
  }

 private:
  std::int64_t Share(std::int64_t bytes, std::int64_t row) const {
    return static_cast<std::int64_t>(static_cast<double>(bytes) * static_cast<double>(row) /
                                     static_cast<double>(task_.rows));
  }

  CommandIds Load(std::int64_t begin, std::int64_t end, CommandId buffer_free) {
    CommandIds loads;
    for (const VectorInput* input : streamed_) {
      const TensorHome& home = lowering_.home(input->tensor);
      CommandIds dependencies = home.ready;
      AddDependency(&dependencies, buffer_free);
      const std::int64_t whole = input->Bytes(lowering_);
      const std::int64_t from = Share(whole, begin), to = Share(whole, end);
      const auto bytes = static_cast<std::int64_t>(static_cast<double>(to - from) * input->passes);
      AddDependency(&loads, lowering_.Copy(NpuOpcode::kLoad, op_, core_, home, from, bytes, false,
                                           dependencies));
    }
    return loads;
  }

  CommandId Store(std::int64_t begin, std::int64_t end, CommandId vector) {
    const std::int64_t from = Share(task_.result_bytes, begin), to = Share(task_.result_bytes, end);
    return lowering_.Copy(NpuOpcode::kStore, op_, core_, result_, from, to - from, false, {vector});
  }

  NpuLowering& lowering_;
  std::uint32_t op_;
  const VectorTask& task_;
  TensorHome& result_;
  std::int64_t core_, row_begin_, row_end_;
  std::vector<const VectorInput*> streamed_;
  CommandId last_vector_ = kNone;
  CommandIds finals_;
};

}  // namespace

CommandIds EmitVector(NpuLowering& lowering, std::uint32_t op, TensorHome& home,
                      const VectorTask& task) {
  CommandIds finals;
  for (std::int64_t core = 0; core < lowering.cores(); ++core) {
    const std::int64_t begin = task.rows * core / lowering.cores();
    const std::int64_t end = task.rows * (core + 1) / lowering.cores();
    if (begin == end) continue;
    const CommandIds done = VectorEmitter(lowering, op, task, home, core, begin, end).Run();
    finals.insert(finals.end(), done.begin(), done.end());
  }
  return finals;
}

void LowerVector(NpuLowering& lowering, std::uint32_t op, TensorId result, const VectorTask& task) {
  TensorHome& home = lowering.PlaceResult(result, op);
  lowering.FinishResult(result, op, EmitVector(lowering, op, home, task));
}

CommandIds EmitVectorCommands(NpuLowering& lowering, std::uint32_t op, const VectorWork& work,
                              std::int64_t rows, std::int64_t columns,
                              const CommandIds& dependencies) {
  const std::uint16_t id = lowering.builder().AddVectorWork(work);
  CommandIds finals;
  for (std::int64_t core = 0; core < lowering.cores(); ++core) {
    const std::int64_t begin = rows * core / lowering.cores();
    const std::int64_t end = rows * (core + 1) / lowering.cores();
    const std::int64_t block = BlockRows(end - begin, columns, kBlockElements);
    CommandId last = kNone;
    for (std::int64_t r = begin; r < end; r += block) {
      last = EmitOne(lowering, op, core, id, std::min(block, end - r), columns, dependencies);
    }
    AddDependency(&finals, last);
  }
  return finals;
}

void VectorExtents(const Shape& shape, std::int64_t* rows, std::int64_t* columns) {
  const std::int64_t elements = ElementCount(shape);
  const bool image = shape.size() == 4;
  *columns = shape.empty() ? 1 : image ? shape[1] : shape.back();
  *columns = std::max<std::int64_t>(1, *columns);
  *rows = std::max<std::int64_t>(1, elements / *columns);
}

}  // namespace siliscope
