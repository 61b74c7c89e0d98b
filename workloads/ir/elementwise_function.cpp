// SPDX-License-Identifier: Apache-2.0
#include "workloads/ir/elementwise_function.h"

#include <algorithm>
#include <cmath>

#include "sim/core/error.h"

namespace siliscope {
namespace {

using F = ElementwiseFunction;
using Args = const double*;

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// Names follow ONNX in lower case; machine functions are what `function_cycles` of a chip prices.
const std::map<std::string, F>& Functions() {
  static const std::map<std::string, F> kFunctions = {
      {"identity", {1, 0, [](Args x, const Operator&) { return x[0]; }, {}}},
      {"relu", {1, 1, [](Args x, const Operator&) { return std::max(x[0], 0.0); }, {{"max", 1}}}},
      {"leaky_relu",
       {1, 2,
        [](Args x, const Operator& op) { return x[0] < 0 ? x[0] * op.Real("alpha", 0.01) : x[0]; },
        {{"mul", 1}, {"select", 1}}}},
      {"prelu",
       {2, 2, [](Args x, const Operator&) { return x[0] < 0 ? x[0] * x[1] : x[0]; },
        {{"mul", 1}, {"select", 1}}}},
      {"clip",
       {1, 2,
        [](Args x, const Operator& op) {
          return std::min(std::max(x[0], op.Real("min", -1e300)), op.Real("max", 1e300));
        },
        {{"max", 1}, {"min", 1}}}},
      {"elu",
       {1, 3,
        [](Args x, const Operator& op) {
          return x[0] < 0 ? op.Real("alpha", 1.0) * std::expm1(x[0]) : x[0];
        },
        {{"exp", 1}, {"add", 1}, {"select", 1}}}},
      {"selu",
       {1, 4,
        [](Args x, const Operator& op) {
          const double gamma = op.Real("gamma", 1.0507009873554805);
          return gamma *
                 (x[0] < 0 ? op.Real("alpha", 1.6732632423543772) * std::expm1(x[0]) : x[0]);
        },
        {{"exp", 1}, {"mul", 1}, {"add", 1}, {"select", 1}}}},
      {"celu",
       {1, 3,
        [](Args x, const Operator& op) {
          const double alpha = op.Real("alpha", 1.0);
          return std::max(0.0, x[0]) + std::min(0.0, alpha * std::expm1(x[0] / alpha));
        },
        {{"exp", 1}, {"add", 1}, {"select", 1}}}},
      {"sigmoid",
       {1, 4, [](Args x, const Operator&) { return Sigmoid(x[0]); },
        {{"exp", 1}, {"add", 1}, {"reciprocal", 1}}}},
      {"hard_sigmoid",
       {1, 4,
        [](Args x, const Operator& op) {
          const double y = x[0] * op.Real("alpha", 0.2) + op.Real("beta", 0.5);
          return std::min(1.0, std::max(0.0, y));
        },
        {{"mul", 1}, {"add", 1}, {"max", 1}, {"min", 1}}}},
      {"hard_swish",
       {1, 5,
        [](Args x, const Operator&) {
          return x[0] * std::min(1.0, std::max(0.0, x[0] / 6 + 0.5));
        },
        {{"mul", 2}, {"add", 1}, {"max", 1}, {"min", 1}}}},
      {"silu",
       {1, 5, [](Args x, const Operator&) { return x[0] * Sigmoid(x[0]); },
        {{"exp", 1}, {"add", 1}, {"reciprocal", 1}, {"mul", 1}}}},
      {"gelu",
       {1, 8,
        [](Args x, const Operator&) { return 0.5 * x[0] * (1 + std::erf(x[0] / std::sqrt(2.0))); },
        {{"erf", 1}, {"mul", 2}, {"add", 1}}}},
      {"tanh", {1, 4, [](Args x, const Operator&) { return std::tanh(x[0]); }, {{"tanh", 1}}}},
      {"exp", {1, 2, [](Args x, const Operator&) { return std::exp(x[0]); }, {{"exp", 1}}}},
      {"log", {1, 2, [](Args x, const Operator&) { return std::log(x[0]); }, {{"log", 1}}}},
      {"sqrt", {1, 2, [](Args x, const Operator&) { return std::sqrt(x[0]); }, {{"sqrt", 1}}}},
      {"reciprocal",
       {1, 1, [](Args x, const Operator&) { return 1 / x[0]; }, {{"reciprocal", 1}}}},
      {"erf", {1, 4, [](Args x, const Operator&) { return std::erf(x[0]); }, {{"erf", 1}}}},
      {"abs", {1, 1, [](Args x, const Operator&) { return std::fabs(x[0]); }, {{"max", 1}}}},
      {"neg", {1, 1, [](Args x, const Operator&) { return -x[0]; }, {{"sub", 1}}}},
      {"floor", {1, 1, [](Args x, const Operator&) { return std::floor(x[0]); }, {{"round", 1}}}},
      {"ceil", {1, 1, [](Args x, const Operator&) { return std::ceil(x[0]); }, {{"round", 1}}}},
      {"round",
       {1, 1, [](Args x, const Operator&) { return std::nearbyint(x[0]); }, {{"round", 1}}}},
      {"sign",
       {1, 1,
        [](Args x, const Operator&) { return x[0] > 0 ? 1.0 : x[0] < 0 ? -1.0 : 0.0; },
        {{"compare", 1}, {"select", 1}}}},
      {"sin", {1, 4, [](Args x, const Operator&) { return std::sin(x[0]); }, {{"sin", 1}}}},
      {"cos", {1, 4, [](Args x, const Operator&) { return std::cos(x[0]); }, {{"sin", 1}}}},
      {"tan", {1, 6, [](Args x, const Operator&) { return std::tan(x[0]); }, {{"sin", 2}, {"reciprocal", 1}}}},
      {"sinh", {1, 4, [](Args x, const Operator&) { return std::sinh(x[0]); }, {{"exp", 2}, {"add", 1}}}},
      {"cosh", {1, 4, [](Args x, const Operator&) { return std::cosh(x[0]); }, {{"exp", 2}, {"add", 1}}}},
      {"asin", {1, 6, [](Args x, const Operator&) { return std::asin(x[0]); }, {{"sin", 2}}}},
      {"acos", {1, 6, [](Args x, const Operator&) { return std::acos(x[0]); }, {{"sin", 2}}}},
      {"atan", {1, 6, [](Args x, const Operator&) { return std::atan(x[0]); }, {{"sin", 2}}}},
      {"asinh", {1, 6, [](Args x, const Operator&) { return std::asinh(x[0]); }, {{"log", 1}, {"sqrt", 1}}}},
      {"acosh", {1, 6, [](Args x, const Operator&) { return std::acosh(x[0]); }, {{"log", 1}, {"sqrt", 1}}}},
      {"atanh", {1, 6, [](Args x, const Operator&) { return std::atanh(x[0]); }, {{"log", 1}, {"reciprocal", 1}}}},
      {"softplus",
       {1, 4, [](Args x, const Operator&) { return std::log1p(std::exp(x[0])); },
        {{"exp", 1}, {"add", 1}, {"log", 1}}}},
      {"softsign",
       {1, 3, [](Args x, const Operator&) { return x[0] / (1 + std::fabs(x[0])); },
        {{"max", 1}, {"add", 1}, {"reciprocal", 1}}}},
      {"not", {1, 1, [](Args x, const Operator&) { return x[0] == 0 ? 1.0 : 0.0; }, {{"select", 1}}}},
      {"is_nan", {1, 1, [](Args x, const Operator&) { return std::isnan(x[0]) ? 1.0 : 0.0; }, {{"compare", 1}}}},
      {"is_inf", {1, 1, [](Args x, const Operator&) { return std::isinf(x[0]) ? 1.0 : 0.0; }, {{"compare", 1}}}},
      {"thresholded_relu",
       {1, 1, [](Args x, const Operator& op) { return x[0] > op.Real("alpha", 1.0) ? x[0] : 0.0; },
        {{"compare", 1}, {"select", 1}}}},
      {"shrink",
       {1, 3,
        [](Args x, const Operator& op) {
          const double lambda = op.Real("lambd", 0.5), bias = op.Real("bias", 0.0);
          return x[0] < -lambda ? x[0] + bias : x[0] > lambda ? x[0] - bias : 0.0;
        },
        {{"compare", 2}, {"add", 1}, {"select", 1}}}},
      {"cast", {1, 0, [](Args x, const Operator&) { return x[0]; }, {{"convert", 1}}}},
      {"add", {2, 1, [](Args x, const Operator&) { return x[0] + x[1]; }, {{"add", 1}}}},
      {"sub", {2, 1, [](Args x, const Operator&) { return x[0] - x[1]; }, {{"sub", 1}}}},
      {"mul", {2, 1, [](Args x, const Operator&) { return x[0] * x[1]; }, {{"mul", 1}}}},
      {"div",
       {2, 1,
        [](Args x, const Operator& op) {
          if (op.Int("integer", 0) == 0) return x[0] / x[1];
          return x[1] == 0 ? 0.0 : std::trunc(x[0] / x[1]);
        },
        {{"reciprocal", 1}, {"mul", 1}}}},
      {"mod",
       {2, 3,
        [](Args x, const Operator& op) {
          if (x[1] == 0) return 0.0;
          const double r = std::fmod(x[0], x[1]);
          return op.Int("fmod", 0) != 0 || r == 0 || (r < 0) == (x[1] < 0) ? r : r + x[1];
        },
        {{"reciprocal", 1}, {"mul", 2}, {"round", 1}, {"sub", 1}}}},
      {"pow",
       {2, 4, [](Args x, const Operator&) { return std::pow(x[0], x[1]); },
        {{"log", 1}, {"mul", 1}, {"exp", 1}}}},
      {"max", {2, 1, [](Args x, const Operator&) { return std::max(x[0], x[1]); }, {{"max", 1}}}},
      {"min", {2, 1, [](Args x, const Operator&) { return std::min(x[0], x[1]); }, {{"min", 1}}}},
      {"equal", {2, 1, [](Args x, const Operator&) { return x[0] == x[1] ? 1.0 : 0.0; }, {{"compare", 1}}}},
      {"less", {2, 1, [](Args x, const Operator&) { return x[0] < x[1] ? 1.0 : 0.0; }, {{"compare", 1}}}},
      {"less_or_equal", {2, 1, [](Args x, const Operator&) { return x[0] <= x[1] ? 1.0 : 0.0; }, {{"compare", 1}}}},
      {"greater", {2, 1, [](Args x, const Operator&) { return x[0] > x[1] ? 1.0 : 0.0; }, {{"compare", 1}}}},
      {"greater_or_equal", {2, 1, [](Args x, const Operator&) { return x[0] >= x[1] ? 1.0 : 0.0; }, {{"compare", 1}}}},
      {"and", {2, 1, [](Args x, const Operator&) { return x[0] != 0 && x[1] != 0 ? 1.0 : 0.0; }, {{"logic", 1}}}},
      {"or", {2, 1, [](Args x, const Operator&) { return x[0] != 0 || x[1] != 0 ? 1.0 : 0.0; }, {{"logic", 1}}}},
      {"xor", {2, 1, [](Args x, const Operator&) { return (x[0] != 0) != (x[1] != 0) ? 1.0 : 0.0; }, {{"logic", 1}}}},
      {"bit_shift",
       {2, 1,
        [](Args x, const Operator& op) {
          return op.Text("direction", "LEFT") == "LEFT" ? std::ldexp(x[0], static_cast<int>(x[1]))
                                                        : std::floor(std::ldexp(x[0], -static_cast<int>(x[1])));
        },
        {{"logic", 1}}}},
      {"where",
       {3, 1, [](Args x, const Operator&) { return x[0] != 0 ? x[1] : x[2]; }, {{"select", 1}}}},
  };
  return kFunctions;
}

}  // namespace

const ElementwiseFunction* FindFunction(const std::string& name) {
  const auto it = Functions().find(name);
  return it == Functions().end() ? nullptr : &it->second;
}

double FunctionOperations(const std::string& name) {
  const ElementwiseFunction* function = FindFunction(name);
  return function == nullptr ? 1 : function->operations;
}

std::vector<std::string> FunctionNames() {
  std::vector<std::string> names;
  for (const auto& [name, function] : Functions()) names.push_back(name);
  return names;
}

}  // namespace siliscope
