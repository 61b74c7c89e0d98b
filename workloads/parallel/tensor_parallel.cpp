// SPDX-License-Identifier: Apache-2.0
#include "workloads/parallel/tensor_parallel.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "sim/core/ceil_divide.h"
#include "sim/core/error.h"

namespace siliscope {
namespace {

constexpr int kWhole = -1;

class Partition {
 public:
  Partition(const Graph& graph, std::int64_t ranks, bool sequence)
      : from_(graph),
        ranks_(ranks),
        sequence_(sequence),
        id_(graph.tensors.size(), kNoTensor),
        axis_(graph.tensors.size(), kWhole) {
    to_.name = graph.name;
  }

  Graph Run() {
    for (const TensorId input : from_.inputs) {
      to_.inputs.push_back(Place(input, sequence_ ? TokensOf(input) : kWhole));
    }
    DivideCaches();
    for (const Operator& op : from_.operators) Divide(op);
    for (const TensorId output : from_.outputs) {
      const bool divided = sequence_ && AxisOf(output) == TokensOf(output);
      to_.outputs.push_back(divided ? id_[static_cast<std::size_t>(output)] : Whole(output));
    }
    if (!divided_) {
      throw UserError(fmt::format(
          "--parallel tp={}: {} has no products of activations and weights that could be divided",
          ranks_, from_.name));
    }
    return std::move(to_);
  }

 private:
  const Shape& ShapeOf(TensorId id) const { return from_.tensor(id).shape; }
  int AxisOf(TensorId id) const { return axis_[static_cast<std::size_t>(id)]; }
  bool IsWeight(TensorId id) const { return from_.tensor(id).role == Role::kWeight; }
  /// The axis along which tokens are divided: of a sequence, else (decode) of the batch.
  int TokensOf(TensorId id) const {
    const Tensor& t = from_.tensor(id);
    if (t.role != Role::kActivation || t.shape.size() != 3) return kWhole;
    if (t.shape[1] % ranks_ == 0) return 1;
    return t.shape[0] % ranks_ == 0 ? 0 : kWhole;
  }
  static int Last(const Shape& shape) { return static_cast<int>(shape.size()) - 1; }

  std::int64_t Part(std::int64_t length, const std::string& of) const {
    if (length % ranks_ != 0) {
      throw UserError(fmt::format("--parallel tp={}: {} of {} is {}, no multiple of it", ranks_, of,
                                  from_.name, length));
    }
    return length / ranks_;
  }

  /// The tensor in the new graph, divided along an axis; padded where it may be.
  TensorId Place(TensorId id, int axis, bool padded = false) {
    if (id == kNoTensor) return kNoTensor;
    TensorId& placed = id_[static_cast<std::size_t>(id)];
    if (placed != kNoTensor) return placed;
    Tensor t = from_.tensor(id);
    if (axis != kWhole) {
      auto& length = t.shape[static_cast<std::size_t>(axis)];
      length = padded ? CeilDivide(length, ranks_) : Part(length, t.name);
      t.values = nullptr;
    }
    placed = to_.AddTensor(std::move(t));
    axis_[static_cast<std::size_t>(id)] = axis;
    return placed;
  }

  /// Key and value caches that are inputs hold the heads of their rank.
  void DivideCaches() {
    for (const Operator& op : from_.operators) {
      if (op.kind != "concat") continue;
      for (const TensorId input : op.inputs) {
        const auto at = std::find(from_.inputs.begin(), from_.inputs.end(), input);
        if (at == from_.inputs.end() || ShapeOf(input).size() != 4) continue;
        Tensor& t = to_.tensor(id_[static_cast<std::size_t>(input)]);
        t.shape[1] = Part(t.shape[1], t.name);
        axis_[static_cast<std::size_t>(input)] = 1;
      }
    }
  }

  /// A whole tensor: gathered over the ranks where it is divided.
  TensorId Whole(TensorId id) {
    const int axis = AxisOf(id);
    if (axis == kWhole) return Place(id, kWhole);
    const auto known = gathered_.find(id);
    if (known != gathered_.end()) return known->second;
    Operator gather;
    gather.name = from_.tensor(id).name + ".all_gather";
    gather.kind = "all_gather";
    gather.inputs = {id_[static_cast<std::size_t>(id)]};
    gather.attributes["axis"] = std::int64_t{axis};
    gather.attributes["ranks"] = ranks_;
    const TensorId whole = to_.AddOperator(std::move(gather), from_.tensor(id).dtype);
    gathered_.emplace(id, whole);
    return whole;
  }

  void Divide(const Operator& op) {
    if (op.Int("replicated", 0) != 0) return AddWhole(op);
    if (op.kind == "matmul" && IsWeight(op.inputs[1]) && ShapeOf(op.inputs[1]).size() >= 2) {
      DivideProduct(op);
    } else if (op.kind == "elementwise") {
      DivideElementwise(op);
    } else if (op.kind == "reshape") {
      DivideReshape(op);
    } else if (op.kind == "transpose") {
      DivideTranspose(op);
    } else if (op.kind == "attention" || op.kind == "rotary" || op.kind == "concat" ||
               op.kind == "softmax" || op.kind == "layer_norm" || op.kind == "rms_norm") {
      DivideAlike(op);
    } else {
      AddWhole(op);
    }
  }

  void AddWhole(const Operator& op) {
    Operator copy = op;
    for (TensorId& input : copy.inputs) {
      if (input != kNoTensor) input = Whole(input);
    }
    Add(std::move(copy), op, kWhole);
  }

  /// Outputs take their places, divided along an axis.
  void Add(Operator copy, const Operator& op, int axis, bool padded = false) {
    for (std::size_t o = 0; o < op.outputs.size(); ++o)
      copy.outputs[o] = Place(op.outputs[o], axis, padded);
    to_.operators.push_back(std::move(copy));
  }

  void DivideProduct(const Operator& op) {
    divided_ = true;
    const TensorId x = op.inputs[0], w = op.inputs[1];
    const bool transposed = op.Int("transpose_b", 0) != 0;
    const bool by_rows = AxisOf(x) == Last(ShapeOf(x)) && op.Int("transpose_a", 0) == 0;
    Operator copy = op;
    copy.inputs[0] = by_rows ? id_[static_cast<std::size_t>(x)] : Whole(x);
    const int columns = Last(ShapeOf(w));
    const TensorId y = op.outputs.front();
    // Columns of the network's results, such as a vocabulary's, are padded for the last rank
    // (Shoeybi et al., "Megatron-LM", 2019, section 3).
    const bool padded =
        !by_rows && std::find(from_.outputs.begin(), from_.outputs.end(), y) != from_.outputs.end();
    copy.inputs[1] = Place(w, by_rows == transposed ? columns : columns - 1, padded);
    if (!by_rows) {
      Add(std::move(copy), op, Last(ShapeOf(y)), padded);
      return;
    }
    Tensor partial = from_.tensor(y);
    partial.name += ".partial";
    copy.outputs.front() = to_.AddTensor(std::move(partial));
    const TensorId sums = copy.outputs.front();
    to_.operators.push_back(std::move(copy));
    const int tokens = sequence_ ? TokensOf(y) : kWhole;
    Operator reduce;
    reduce.kind = tokens == kWhole ? "all_reduce" : "reduce_scatter";
    reduce.name = op.name + "." + reduce.kind;
    if (tokens != kWhole) {
      reduce.attributes["axis"] = std::int64_t{tokens};
      reduce.attributes["ranks"] = ranks_;
    }
    reduce.inputs = {sums};
    reduce.outputs = {Place(y, tokens)};
    to_.operators.push_back(std::move(reduce));
  }

  void DivideElementwise(const Operator& op) {
    int axis = kWhole;
    std::size_t rank = 0;
    for (const TensorId input : op.inputs) {
      if (input == kNoTensor || AxisOf(input) == kWhole) continue;
      axis = AxisOf(input);
      rank = ShapeOf(input).size();
    }
    const Shape& result = ShapeOf(op.outputs.front());
    bool fits = axis != kWhole && rank == result.size();
    for (const TensorId input : op.inputs) {
      if (input == kNoTensor || AxisOf(input) == axis) continue;
      fits = fits && (IsWeight(input) || ElementCount(ShapeOf(input)) == 1);
    }
    if (!fits) return AddWhole(op);
    Operator copy = op;
    for (TensorId& input : copy.inputs) {
      if (input == kNoTensor) continue;
      const Shape& shape = ShapeOf(input);
      // Of weights, the axis that meets the divided one, where they have it.
      const int of_weight = axis - static_cast<int>(result.size() - shape.size());
      const bool divided =
          AxisOf(input) == axis && id_[static_cast<std::size_t>(input)] != kNoTensor;
      const bool meets = of_weight >= 0 && shape[static_cast<std::size_t>(of_weight)] > 1;
      input =
          divided ? id_[static_cast<std::size_t>(input)] : Place(input, meets ? of_weight : kWhole);
    }
    Add(std::move(copy), op, axis);
  }

  /// Heads come out of the last axis, or go back into it.
  void DivideReshape(const Operator& op) {
    const TensorId x = op.inputs.front();
    if (AxisOf(x) == kWhole) return AddWhole(op);
    const Shape &before = ShapeOf(x), &after = ShapeOf(op.outputs.front());
    const auto axis = static_cast<std::size_t>(AxisOf(x));
    const bool same_lead = axis < after.size() &&
                           std::equal(before.begin(), before.begin() + AxisOf(x), after.begin());
    if (!same_lead || after[axis] % ranks_ != 0) return AddWhole(op);
    Operator copy = op;
    copy.inputs.front() = id_[static_cast<std::size_t>(x)];
    Shape shape = after;
    shape[axis] = Part(shape[axis], op.name);
    copy.attributes["shape"] = std::vector<std::int64_t>(shape.begin(), shape.end());
    for (std::size_t i = 1; i < copy.inputs.size(); ++i) copy.inputs[i] = Whole(op.inputs[i]);
    Add(std::move(copy), op, AxisOf(x));
  }

  void DivideTranspose(const Operator& op) {
    const TensorId x = op.inputs.front();
    const std::vector<std::int64_t> order = op.Ints("perm");
    if (AxisOf(x) == kWhole || order.empty()) return AddWhole(op);
    const auto at = std::find(order.begin(), order.end(), std::int64_t{AxisOf(x)});
    Operator copy = op;
    copy.inputs.front() = id_[static_cast<std::size_t>(x)];
    Add(std::move(copy), op, static_cast<int>(at - order.begin()));
  }

  /// Along an axis that the operator leaves alone, all divided inputs in the same way.
  void DivideAlike(const Operator& op) {
    const int axis = AxisOf(op.inputs.front());
    const bool works_along = op.kind == "concat" || op.kind == "softmax";
    const bool own = works_along && op.Int("axis", -1) == axis;
    bool fits = axis != kWhole && !own && axis != Last(ShapeOf(op.inputs.front()));
    for (const TensorId input : op.inputs) {
      if (input == kNoTensor || IsWeight(input)) continue;
      fits = fits && AxisOf(input) == axis;
    }
    if (!fits) return AddWhole(op);
    Operator copy = op;
    for (TensorId& input : copy.inputs) {
      if (input != kNoTensor) {
        input = IsWeight(input) ? Place(input, kWhole) : id_[static_cast<std::size_t>(input)];
      }
    }
    Add(std::move(copy), op, axis);
  }

  const Graph& from_;
  std::int64_t ranks_;
  bool sequence_;
  bool divided_ = false;      ///< some product is
  std::vector<TensorId> id_;  ///< in the new graph
  std::vector<int> axis_;     ///< along which it is divided
  std::map<TensorId, TensorId> gathered_;
  Graph to_;
};

}  // namespace

Graph TensorParallel(const Graph& graph, std::int64_t ranks, bool sequence) {
  return ranks <= 1 ? graph : Partition(graph, ranks, sequence).Run();
}

}  // namespace siliscope
