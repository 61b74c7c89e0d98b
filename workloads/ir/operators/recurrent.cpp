// SPDX-License-Identifier: Apache-2.0
// lstm, gru and rnn over a sequence, as ONNX defines them: x [seq, batch, in], w [dirs, gates x
// hidden, in], r [dirs, gates x hidden, hidden], bias [dirs, 2 x gates x hidden]; attributes
// hidden, direction (forward, reverse, bidirectional), linear_before_reset (gru). Outputs: all
// hidden states [seq, dirs, batch, hidden], the last one [dirs, batch, hidden], lstm also the last
// cell state.
#include <cmath>

#include "sim/core/error.h"
#include "workloads/ir/operator_kind.h"

namespace siliscope {
namespace {

std::int64_t Gates(const Operator& op) { return op.kind == "lstm" ? 4 : op.kind == "gru" ? 3 : 1; }

struct Extents {
  std::int64_t seq, batch, in, hidden, dirs;
};

Extents ExtentsOf(const Operator& op, const Shape& x, const Shape& w) {
  if (x.size() != 3 || w.size() != 3) throw UserError(op.name + ": ranks of 3 are expected");
  Extents e{x[0], x[1], x[2], op.Int("hidden", w[1] / Gates(op)), w[0]};
  if (w[1] != Gates(op) * e.hidden || w[2] != e.in) {
    throw UserError(op.name + ": weights " + ShapeText(w) + " do not fit " + ShapeText(x));
  }
  return e;
}

std::vector<Shape> Infer(const Graph& graph, const Operator& op) {
  const Extents e = ExtentsOf(op, InputShape(graph, op, 0), InputShape(graph, op, 1));
  const Shape last = {e.dirs, e.batch, e.hidden};
  return {{e.seq, e.dirs, e.batch, e.hidden}, last, last};
}

double Macs(const Graph& graph, const Operator& op) {
  const Extents e = ExtentsOf(op, InputShape(graph, op, 0), InputShape(graph, op, 1));
  return static_cast<double>(e.seq * e.batch * e.dirs) * static_cast<double>(Gates(op) * e.hidden) *
         static_cast<double>(e.in + e.hidden);
}

double Operations(const Graph& graph, const Operator& op) {
  const Extents e = ExtentsOf(op, InputShape(graph, op, 0), InputShape(graph, op, 1));
  return static_cast<double>(e.seq * e.batch * e.dirs * e.hidden) *
         static_cast<double>(6 * Gates(op));
}

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// One direction of one layer, step by step.
class Cell {
 public:
  Cell(const Operator& op, const Extents& e, const std::vector<const Value*>& inputs,
       std::int64_t dir)
      : op_(op),
        e_(e),
        inputs_(inputs),
        dir_(dir),
        gates_(Gates(op)),
        h_(static_cast<std::size_t>(e.batch * e.hidden), 0),
        c_(h_) {
    for (const auto& [at, state] :
         {std::pair<std::size_t, std::vector<double>*>{5, &h_}, {6, &c_}}) {
      if (inputs.size() <= at || inputs[at] == nullptr) continue;
      for (std::size_t i = 0; i < state->size(); ++i) {
        (*state)[i] = inputs[at]->data[static_cast<std::size_t>(dir) * state->size() + i];
      }
    }
  }

  void Step(std::int64_t t) {
    std::vector<double> next = h_;
    for (std::int64_t b = 0; b < e_.batch; ++b) {
      for (std::int64_t j = 0; j < e_.hidden; ++j) Update(t, b, j, &next);
    }
    h_ = next;
  }
  const std::vector<double>& hidden() const { return h_; }
  const std::vector<double>& cell() const { return c_; }

 private:
  double FromInput(std::int64_t t, std::int64_t b, std::int64_t gate, std::int64_t j) const {
    const std::int64_t row = (dir_ * gates_ + gate) * e_.hidden + j;
    double sum = Bias(gate, j);
    for (std::int64_t i = 0; i < e_.in; ++i) {
      sum += inputs_[0]->data[static_cast<std::size_t>((t * e_.batch + b) * e_.in + i)] *
             inputs_[1]->data[static_cast<std::size_t>(row * e_.in + i)];
    }
    return sum;
  }
  double FromHidden(const std::vector<double>& h, std::int64_t b, std::int64_t gate,
                    std::int64_t j) const {
    const std::int64_t row = (dir_ * gates_ + gate) * e_.hidden + j;
    double sum = Bias(gates_ + gate, j);
    for (std::int64_t i = 0; i < e_.hidden; ++i) {
      sum += h[static_cast<std::size_t>(b * e_.hidden + i)] *
             inputs_[2]->data[static_cast<std::size_t>(row * e_.hidden + i)];
    }
    return sum;
  }
  double Bias(std::int64_t gate, std::int64_t j) const {
    if (inputs_.size() <= 3 || inputs_[3] == nullptr) return 0;
    return inputs_[3]->data[static_cast<std::size_t>((dir_ * 2 * gates_ + gate) * e_.hidden + j)];
  }
  double Gate(std::int64_t t, std::int64_t b, std::int64_t gate, std::int64_t j) const {
    return FromInput(t, b, gate, j) + FromHidden(h_, b, gate, j);
  }

  void Update(std::int64_t t, std::int64_t b, std::int64_t j, std::vector<double>* next) {
    const auto at = static_cast<std::size_t>(b * e_.hidden + j);
    if (op_.kind == "lstm") {  // gates i, o, f, c
      const double c = Sigmoid(Gate(t, b, 2, j)) * c_[at] +
                       Sigmoid(Gate(t, b, 0, j)) * std::tanh(Gate(t, b, 3, j));
      c_[at] = c;
      (*next)[at] = Sigmoid(Gate(t, b, 1, j)) * std::tanh(c);
    } else if (op_.kind == "gru") {  // gates z, r, h
      const double z = Sigmoid(Gate(t, b, 0, j));
      double candidate = FromInput(t, b, 2, j);
      if (op_.Int("linear_before_reset", 0) != 0) {
        candidate += Sigmoid(Gate(t, b, 1, j)) * FromHidden(h_, b, 2, j);
      } else {
        std::vector<double> reset = h_;
        for (std::int64_t i = 0; i < e_.hidden; ++i) {
          reset[static_cast<std::size_t>(b * e_.hidden + i)] *= Sigmoid(Gate(t, b, 1, i));
        }
        candidate += FromHidden(reset, b, 2, j);
      }
      (*next)[at] = (1 - z) * std::tanh(candidate) + z * h_[at];
    } else {
      (*next)[at] = std::tanh(Gate(t, b, 0, j));
    }
  }

  const Operator& op_;
  const Extents& e_;
  const std::vector<const Value*>& inputs_;
  std::int64_t dir_, gates_;
  std::vector<double> h_, c_;
};

std::vector<Value> Evaluate(const Operator& op, const std::vector<const Value*>& inputs) {
  const Extents e = ExtentsOf(op, inputs[0]->shape, inputs[1]->shape);
  const auto state = static_cast<std::size_t>(e.batch * e.hidden);
  Value all{{e.seq, e.dirs, e.batch, e.hidden}, {}}, last{{e.dirs, e.batch, e.hidden}, {}};
  Value cells = last;
  all.data.resize(static_cast<std::size_t>(e.seq * e.dirs) * state);
  for (std::int64_t dir = 0; dir < e.dirs; ++dir) {
    Cell cell(op, e, inputs, dir);
    const bool backwards = dir == 1 || op.Text("direction", "forward") == "reverse";
    for (std::int64_t i = 0; i < e.seq; ++i) {
      const std::int64_t t = backwards ? e.seq - 1 - i : i;
      cell.Step(t);
      std::copy(cell.hidden().begin(), cell.hidden().end(),
                all.data.begin() + static_cast<std::ptrdiff_t>(
                                       static_cast<std::size_t>(t * e.dirs + dir) * state));
    }
    last.data.insert(last.data.end(), cell.hidden().begin(), cell.hidden().end());
    cells.data.insert(cells.data.end(), cell.cell().begin(), cell.cell().end());
  }
  return {all, last, cells};
}

auto& registry = OperatorRegistry::Instance();
const bool kLstm = registry.Add(
    "lstm", {"long short-term memory (x, w, r, bias)", &Infer, &Macs, &Operations, &Evaluate});
const bool kGru = registry.Add(
    "gru", {"gated recurrent unit (x, w, r, bias)", &Infer, &Macs, &Operations, &Evaluate});
const bool kRnn = registry.Add(
    "rnn", {"recurrent layer with tanh (x, w, r, bias)", &Infer, &Macs, &Operations, &Evaluate});

}  // namespace
}  // namespace siliscope
