// SPDX-License-Identifier: Apache-2.0
// conv and conv_transpose over one to three spatial dimensions: x [n, c, ...], weight
// [out_c, c / group, ...] (conv_transpose: [c, out_c / group, ...]), optional bias [out_c].
// Attributes: strides, pads (begins, then ends), dilations, group, output_padding.
#include "sim/core/error.h"
#include "workloads/ir/operator_kind.h"

namespace siliscope {
namespace {

struct Window {
  std::size_t rank;
  std::vector<std::int64_t> kernel, strides, pads, dilations, output_padding;
  std::int64_t group;
};

Window WindowOf(const Operator& op, const Shape& x, const Shape& w) {
  if (x.size() < 3 || x.size() > 5 || w.size() != x.size()) {
    throw UserError(op.name + ": " + op.kind + " of " + ShapeText(x) + " with weights " +
                    ShapeText(w) + " (one to three spatial dimensions)");
  }
  Window window;
  window.rank = x.size() - 2;
  window.kernel.assign(w.begin() + 2, w.end());
  window.strides = op.Ints("strides", Shape(window.rank, 1));
  window.pads = op.Ints("pads", Shape(2 * window.rank, 0));
  window.dilations = op.Ints("dilations", Shape(window.rank, 1));
  window.output_padding = op.Ints("output_padding", Shape(window.rank, 0));
  window.group = op.Int("group", 1);
  const bool good = window.strides.size() == window.rank && window.pads.size() == 2 * window.rank &&
                    window.dilations.size() == window.rank && window.group >= 1 &&
                    window.output_padding.size() == window.rank;
  for (std::size_t i = 0; good && i < window.rank; ++i) {
    constexpr std::int64_t kMost = 1 << 20;
    const auto sensible = [](std::int64_t value, std::int64_t least) {
      return value >= least && value <= kMost;
    };
    if (!sensible(window.strides[i], 1) || !sensible(window.dilations[i], 1) ||
        !sensible(window.kernel[i], 1) || !sensible(window.pads[i], -kMost) ||
        !sensible(window.pads[i + window.rank], -kMost)) {
      throw UserError(op.name + ": strides, dilations, kernels or pads without sense");
    }
  }
  if (!good) throw UserError(op.name + ": attributes do not fit " + ShapeText(x));
  return window;
}

std::vector<Shape> InferConv(const Graph& graph, const Operator& op) {
  const Shape& x = InputShape(graph, op, 0);
  const Shape& w = InputShape(graph, op, 1);
  const Window window = WindowOf(op, x, w);
  if (x[1] != w[1] * window.group || w[0] % window.group != 0) {
    throw UserError(op.name + ": channels of " + ShapeText(x) + " and weights " + ShapeText(w) +
                    " do not fit group " + std::to_string(window.group));
  }
  Shape y = {x[0], w[0]};
  for (std::size_t i = 0; i < window.rank; ++i) {
    const std::int64_t reach = (window.kernel[i] - 1) * window.dilations[i] + 1;
    const std::int64_t padded = x[i + 2] + window.pads[i] + window.pads[i + window.rank];
    if (padded < reach) throw UserError(op.name + ": the kernel is larger than its padded input");
    y.push_back((padded - reach) / window.strides[i] + 1);
  }
  return {y};
}

double MacsConv(const Graph& graph, const Operator& op) {
  const Shape& w = InputShape(graph, op, 1);
  const std::int64_t taps = ElementCount(w) / w[0];
  return static_cast<double>(graph.tensor(op.outputs.front()).elements()) *
         static_cast<double>(taps);
}

/// Visits every (output position, kernel position, input position) of one image and channel pair.
template <typename Visit>
void ForEachTap(const Window& window, const Shape& out, const Shape& in, Visit visit) {
  const std::int64_t outputs = ElementCount(Shape(out.begin() + 2, out.end()));
  const std::int64_t taps = ElementCount(window.kernel);
  for (std::int64_t o = 0; o < outputs; ++o) {
    for (std::int64_t t = 0; t < taps; ++t) {
      std::int64_t rest_o = o, rest_t = t, index = 0, stride = 1;
      bool inside = true;
      for (std::size_t d = window.rank; d-- > 0;) {
        const std::int64_t at = rest_o % out[d + 2] * window.strides[d] +
                                rest_t % window.kernel[d] * window.dilations[d] - window.pads[d];
        rest_o /= out[d + 2];
        rest_t /= window.kernel[d];
        inside = inside && at >= 0 && at < in[d + 2];
        index += at * stride;
        stride *= in[d + 2];
      }
      if (inside) visit(o, t, index);
    }
  }
}

std::vector<Value> EvaluateConv(const Operator& op, const std::vector<const Value*>& inputs) {
  const Value &x = *inputs[0], &w = *inputs[1];
  const Window window = WindowOf(op, x.shape, w.shape);
  Graph shapes;
  shapes.AddTensor({"x", x.shape, DataType::kFp32, Role::kActivation, nullptr});
  shapes.AddTensor({"w", w.shape, DataType::kFp32, Role::kWeight, nullptr});
  Operator probe = op;
  probe.inputs = {0, 1};
  Value y;
  y.shape = InferConv(shapes, probe).front();
  const std::int64_t out_plane = ElementCount(Shape(y.shape.begin() + 2, y.shape.end()));
  const std::int64_t in_plane = ElementCount(Shape(x.shape.begin() + 2, x.shape.end()));
  const std::int64_t taps = ElementCount(window.kernel);
  const std::int64_t out_c = y.shape[1], in_group = w.shape[1];
  y.data.assign(static_cast<std::size_t>(ElementCount(y.shape)), 0);
  for (std::int64_t n = 0; n < x.shape[0]; ++n) {
    for (std::int64_t oc = 0; oc < out_c; ++oc) {
      double* out = y.data.data() + (n * out_c + oc) * out_plane;
      if (inputs.size() > 2 && inputs[2] != nullptr) {
        std::fill(out, out + out_plane, inputs[2]->data[static_cast<std::size_t>(oc)]);
      }
      const std::int64_t first = oc / (out_c / window.group) * in_group;
      for (std::int64_t ic = 0; ic < in_group; ++ic) {
        const double* in = x.data.data() + (n * x.shape[1] + first + ic) * in_plane;
        const double* k = w.data.data() + (oc * in_group + ic) * taps;
        ForEachTap(window, y.shape, x.shape,
                   [&](std::int64_t o, std::int64_t t, std::int64_t i) { out[o] += in[i] * k[t]; });
      }
    }
  }
  return {y};
}

std::vector<Shape> InferTranspose(const Graph& graph, const Operator& op) {
  const Shape& x = InputShape(graph, op, 0);
  const Shape& w = InputShape(graph, op, 1);
  const Window window = WindowOf(op, x, w);
  if (x[1] != w[0]) throw UserError(op.name + ": channels do not fit the weights");
  Shape y = {x[0], w[1] * window.group};
  for (std::size_t i = 0; i < window.rank; ++i) {
    y.push_back((x[i + 2] - 1) * window.strides[i] + (window.kernel[i] - 1) * window.dilations[i] +
                1 + window.output_padding[i] - window.pads[i] - window.pads[i + window.rank]);
  }
  return {y};
}

double MacsTranspose(const Graph& graph, const Operator& op) {
  const Shape& w = InputShape(graph, op, 1);
  const std::int64_t taps = ElementCount(w) / w[0];
  return static_cast<double>(graph.tensor(op.inputs.front()).elements()) *
         static_cast<double>(taps);
}

std::vector<Value> EvaluateTranspose(const Operator& op, const std::vector<const Value*>& inputs) {
  const Value &x = *inputs[0], &w = *inputs[1];
  Graph shapes;
  shapes.AddTensor({"x", x.shape, DataType::kFp32, Role::kActivation, nullptr});
  shapes.AddTensor({"w", w.shape, DataType::kFp32, Role::kWeight, nullptr});
  Operator probe = op;
  probe.inputs = {0, 1};
  const Window window = WindowOf(op, x.shape, w.shape);
  Value y;
  y.shape = InferTranspose(shapes, probe).front();
  y.data.assign(static_cast<std::size_t>(ElementCount(y.shape)), 0);
  const std::int64_t out_plane = ElementCount(Shape(y.shape.begin() + 2, y.shape.end()));
  const std::int64_t in_plane = ElementCount(Shape(x.shape.begin() + 2, x.shape.end()));
  const std::int64_t taps = ElementCount(window.kernel);
  const std::int64_t in_c = x.shape[1], out_group = w.shape[1], out_c = y.shape[1];
  for (std::int64_t n = 0; n < x.shape[0]; ++n) {
    for (std::int64_t ic = 0; ic < in_c; ++ic) {
      const double* in = x.data.data() + (n * in_c + ic) * in_plane;
      for (std::int64_t oc = 0; oc < out_group; ++oc) {
        const std::int64_t channel = ic / (in_c / window.group) * out_group + oc;
        double* out = y.data.data() + (n * out_c + channel) * out_plane;
        const double* k = w.data.data() + (ic * out_group + oc) * taps;
        // The convolution that would have read the output writes it.
        ForEachTap(window, x.shape, y.shape,
                   [&](std::int64_t o, std::int64_t t, std::int64_t i) { out[i] += in[o] * k[t]; });
      }
    }
  }
  if (inputs.size() > 2 && inputs[2] != nullptr) {
    for (std::size_t i = 0; i < y.data.size(); ++i) {
      y.data[i] +=
          inputs[2]
              ->data[i / static_cast<std::size_t>(out_plane) % static_cast<std::size_t>(out_c)];
    }
  }
  return {y};
}

double BiasOperations(const Graph& graph, const Operator& op) {
  return HasInput(op, 2) ? static_cast<double>(graph.tensor(op.outputs.front()).elements()) : 0;
}

const bool kConv = OperatorRegistry::Instance().Add(
    "conv", {"convolution, grouped and depthwise too (x, weight, bias)", &InferConv, &MacsConv,
             &BiasOperations, &EvaluateConv});
const bool kTranspose = OperatorRegistry::Instance().Add(
    "conv_transpose", {"transposed convolution (x, weight, bias)", &InferTranspose, &MacsTranspose,
                       &BiasOperations, &EvaluateTranspose});

}  // namespace
}  // namespace siliscope
