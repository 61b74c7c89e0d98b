// SPDX-License-Identifier: Apache-2.0
// The compiler behind the contract: finds or imports a network, runs the passes, lowers it.
#include "sim/contract/compiler.h"

#include <fmt/format.h>

#include "sim/core/content_hash.h"
#include "sim/core/error.h"
#include "sim/core/quantity.h"
#include "workloads/import/workload_source.h"
#include "workloads/ir/operator_kind.h"
#include "workloads/ir/printer.h"
#include "workloads/lower/cpu/cpu_lowering.h"
#include "workloads/lower/gpu/gpu_lowering.h"
#include "workloads/lower/link/collective_lowering.h"
#include "workloads/lower/link/rank_group.h"
#include "workloads/lower/npu/npu_lowering.h"
#include "workloads/passes/pass.h"
#include "workloads/zoo/single_operator.h"

namespace siliscope {
namespace {

LaunchMode LaunchModeOf(const std::string& launch) {
  if (launch == "kernel") return LaunchMode::kKernel;
  if (launch == "stream") return LaunchMode::kStream;
  return launch == "eager" ? LaunchMode::kEager : LaunchMode::kGraph;
}

class NetworkCompiler : public Compiler {
 public:
  Program Compile(const WorkloadRequest& request, const MachineSpec& machine,
                  const TileCost& cost) const override {
    // A chip that takes few images at a time runs a larger batch as several invocations.
    const std::int64_t most = machine.npu.mapping.images_at_a_time;
    WorkloadRequest part = request;
    std::int64_t invocations = 1;
    if (most > 0 && request.batch > most && request.batch % most == 0) {
      invocations = request.batch / most;
      part.batch = most;
    }
    const Graph graph = Load(part);
    const bool whole = most > 0 && request.batch > most && invocations == 1;
    Program program = Lower(graph, machine, cost, request, invocations);
    program.workload = request.workload;
    program.gpu.mode = LaunchModeOf(request.launch);
    program.network_hash = ContentHash(PrintGraph(graph));
    program.work_hash = ContentHash(PrintGraph(WithoutNames(graph)));
    program.batch = BatchOf(graph) * invocations;
    program.undivided_flops = program.NominalFlops();
    const Division& d = request.division;
    if (d.tensor > 1 || d.experts > 1 || d.stages > 1) {
      WorkloadRequest whole_network = part;
      whole_network.division = {};
      const Graph undivided = Load(whole_network);
      program.undivided_flops = 0;
      for (const Operator& op : undivided.operators) {
        program.undivided_flops += OperatorFlops(undivided, op);
      }
      program.batch = BatchOf(undivided) * invocations;
    }
    if (whole) {
      program.notes.push_back(fmt::format(
          "batch {} runs at once: it is no multiple of {} images at a time", request.batch, most));
    }
    if (invocations > 1) {
      program.notes.push_back(
          fmt::format("batch {} runs as {} invocations of {}", request.batch, invocations, most));
    }
    return program;
  }

  Program CompileOperator(const OperatorRequest& request, const MachineSpec& machine,
                          const TileCost& cost) const override {
    Graph graph = SingleOperatorGraph(request);
    VerifyGraph(graph);
    WorkloadRequest alone;
    alone.dtype = request.dtype;
    alone.trials = request.trials;
    alone.kernel = request.kernel;
    Program program = Lower(graph, machine, cost, alone, 1);
    // In a captured graph of a whole network, weights have left the caches since their last use.
    program.gpu.cold_weights = request.launch == "graph";
    program.gpu.mode = LaunchModeOf(request.launch);
    return program;
  }

  LinkProgram CompileCollective(const CollectiveRequest& request,
                                const ClusterSpec& cluster) const override {
    CollectiveRequest placed = request;
    if (request.per_node > 0) placed.group = GroupOfEachNode(request, cluster);
    if (placed.group.empty()) return LowerCollective(placed, cluster);
    return LowerCollective(placed, WithGroupFirst(cluster, placed.group));
  }

  std::vector<NamedText> ListWorkloads() const override { return ListWorkloadSources(); }

  std::vector<NamedText> ListOperators() const override {
    std::vector<NamedText> list = ListSingleOperators();
    for (const auto& [name, kind] : OperatorRegistry::Instance().entries()) {
      list.push_back({name, kind.meaning});
    }
    return list;
  }

  std::vector<std::string> ListCollectives() const override { return CollectiveNames(); }

  std::vector<NamedText> ListPasses() const override {
    std::vector<NamedText> list;
    for (const Pass& pass : DefaultPasses()) list.push_back({pass.name, pass.meaning});
    return list;
  }

  std::string Print(const WorkloadRequest& request) const override {
    return PrintGraph(Load(request));
  }

  std::string Check(const WorkloadRequest& request) const override {
    const Graph graph = Load(request);
    std::int64_t parameters = 0;
    for (const Tensor& tensor : graph.tensors) {
      if (tensor.role == Role::kWeight) parameters += tensor.elements();
    }
    return fmt::format("{}: {} operators, {:.4g} GMAC, {} parameters", request.workload,
                       graph.operators.size(), GraphMacs(graph) / 1e9,
                       Engineering(static_cast<double>(parameters), ""));
  }

 private:
  static Graph WithoutNames(Graph graph) {
    for (Tensor& tensor : graph.tensors) tensor.name.clear();
    for (Operator& op : graph.operators) {
      op.name.clear();
      op.source_nodes.clear();
      for (EpilogueStep& step : op.epilogue) step.source_node.clear();
    }
    return graph;
  }

  static Graph Load(const WorkloadRequest& request) {
    Graph graph = LoadWorkload(request);
    RunPasses(&graph, request.division);
    VerifyGraph(graph);
    return graph;
  }

  static Program Lower(const Graph& graph, const MachineSpec& machine, const TileCost& cost,
                       const WorkloadRequest& request, std::int64_t invocations) {
    if (graph.operators.empty()) throw UserError("the network has no operators");
    const std::string type =
        request.dtype.empty() ? std::string(DataTypeName(machine.default_dtype)) : request.dtype;
    if (machine.kind == "gpu") {
      return GpuLowering(graph, machine, type, request.kernel, request.trials)
          .Run(invocations, request.host_copies, request.streams);
    }
    if (machine.kind == "cpu") {
      if (request.host_copies) throw UserError("--host-copies: " + machine.name + " is the host");
      if (request.streams > 1) throw UserError("--streams: " + machine.name + " is no GPU");
      return CpuLowering(graph, machine, type).Run(invocations);
    }
    if (request.host_copies) {
      throw UserError("--host-copies: " + machine.name +
                      " has no copy engines; its host link always carries inputs and outputs");
    }
    if (request.streams > 1) throw UserError("--streams: " + machine.name + " is no GPU");
    return NpuLowering(graph, machine, cost, type).Run(invocations);
  }

  static std::int64_t BatchOf(const Graph& graph) {
    if (graph.inputs.empty()) return 1;
    const TensorId input = graph.inputs.front();
    const Shape& shape = graph.tensor(input).shape;
    for (const Operator& op : graph.operators) {  // recurrent ones have time first
      const bool recurrent = op.kind == "lstm" || op.kind == "gru" || op.kind == "rnn";
      if (recurrent && op.inputs[0] == input && shape.size() > 1) return shape[1];
    }
    return shape.empty() ? 1 : shape.front();
  }
};

const bool kRegistered = CompilerRegistry::Instance().Add("network", []() -> const Compiler* {
  static const NetworkCompiler compiler;
  return &compiler;
});

}  // namespace
}  // namespace siliscope
