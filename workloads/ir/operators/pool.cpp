// SPDX-License-Identifier: Apache-2.0
// pool: max or average over windows of x [n, c, ...]. Attributes: mode, kernel, strides, pads
// (begins, then ends), dilations, ceil_mode, count_include_pad.
#include <algorithm>
#include <limits>

#include "sim/core/error.h"
#include "workloads/ir/operator_kind.h"

namespace siliscope {
namespace {

struct Pool {
  std::size_t rank;
  std::vector<std::int64_t> kernel, strides, pads, dilations;
  Shape out;
};

Pool PoolOf(const Operator& op, const Shape& x) {
  if (x.size() < 3) throw UserError(op.name + ": pool of " + ShapeText(x));
  Pool p;
  p.rank = x.size() - 2;
  p.kernel = op.Ints("kernel");
  p.strides = op.Ints("strides", Shape(p.rank, 1));
  p.pads = op.Ints("pads", Shape(2 * p.rank, 0));
  p.dilations = op.Ints("dilations", Shape(p.rank, 1));
  if (p.kernel.size() != p.rank || p.strides.size() != p.rank || p.pads.size() != 2 * p.rank ||
      p.dilations.size() != p.rank) {
    throw UserError(op.name + ": attributes do not fit " + ShapeText(x));
  }
  p.out = {x[0], x[1]};
  for (std::size_t i = 0; i < p.rank; ++i) {
    if (p.kernel[i] < 1 || p.strides[i] < 1) throw UserError(op.name + ": an empty window");
    const std::int64_t span =
        x[i + 2] + p.pads[i] + p.pads[i + p.rank] - (p.kernel[i] - 1) * p.dilations[i] - 1;
    if (span < 0) throw UserError(op.name + ": the window is larger than its padded input");
    std::int64_t outputs = span / p.strides[i] + 1;
    if (op.Int("ceil_mode", 0) != 0 && span % p.strides[i] != 0 &&
        outputs * p.strides[i] < x[i + 2] + p.pads[i]) {
      ++outputs;  // a last window may not begin in the padding
    }
    p.out.push_back(outputs);
  }
  return p;
}

std::vector<Shape> Infer(const Graph& graph, const Operator& op) {
  return {PoolOf(op, InputShape(graph, op, 0)).out};
}

double Operations(const Graph& graph, const Operator& op) {
  return static_cast<double>(graph.tensor(op.outputs.front()).elements()) *
         static_cast<double>(ElementCount(op.Ints("kernel")));
}

std::vector<Value> Evaluate(const Operator& op, const std::vector<const Value*>& inputs) {
  const Value& x = *inputs[0];
  const Pool p = PoolOf(op, x.shape);
  const bool max = op.Text("mode", "max") == "max";
  const bool count_pad = op.Int("count_include_pad", 0) != 0;
  Value y{p.out, {}};
  const std::int64_t planes = x.shape[0] * x.shape[1];
  const std::int64_t in_plane = ElementCount(Shape(x.shape.begin() + 2, x.shape.end()));
  const std::int64_t out_plane = ElementCount(Shape(p.out.begin() + 2, p.out.end()));
  const std::int64_t taps = ElementCount(p.kernel);
  for (std::int64_t plane = 0; plane < planes; ++plane) {
    for (std::int64_t o = 0; o < out_plane; ++o) {
      double best = -std::numeric_limits<double>::infinity(), sum = 0;
      std::int64_t inside_count = 0, padded_count = 0;
      for (std::int64_t t = 0; t < taps; ++t) {
        std::int64_t rest_o = o, rest_t = t, index = 0, stride = 1;
        bool inside = true, padded = true;
        for (std::size_t d = p.rank; d-- > 0;) {
          const std::int64_t extent = x.shape[d + 2];
          const std::int64_t at = rest_o % p.out[d + 2] * p.strides[d] +
                                  rest_t % p.kernel[d] * p.dilations[d] - p.pads[d];
          rest_o /= p.out[d + 2];
          rest_t /= p.kernel[d];
          inside = inside && at >= 0 && at < extent;
          padded = padded && at < extent + p.pads[d + p.rank];
          index += at * stride;
          stride *= extent;
        }
        padded_count += padded ? 1 : 0;
        if (!inside) continue;
        ++inside_count;
        const double value = x.data[static_cast<std::size_t>(plane * in_plane + index)];
        best = std::max(best, value);
        sum += value;
      }
      const std::int64_t count = count_pad ? padded_count : inside_count;
      y.data.push_back(max ? best : sum / static_cast<double>(std::max<std::int64_t>(count, 1)));
    }
  }
  return {y};
}

const bool kRegistered = OperatorRegistry::Instance().Add(
    "pool", {"max or average over windows (x)", &Infer, nullptr, &Operations, &Evaluate});

}  // namespace
}  // namespace siliscope
