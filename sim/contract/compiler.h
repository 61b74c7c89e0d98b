// SPDX-License-Identifier: Apache-2.0
// From a network (a name, an ONNX file or one operator) to a Program for one machine.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sim/contract/cluster_spec.h"
#include "sim/contract/link_program.h"
#include "sim/contract/machine_spec.h"
#include "sim/contract/program.h"
#include "sim/contract/tile_cost.h"
#include "sim/core/registry.h"

namespace siliscope {

/// Seconds that each of some programs takes when it runs alone: what `--autotune` chooses kernels
/// by.
using ProgramTrials = std::function<std::vector<double>(const std::vector<Program>&)>;

/// How a network is divided over ranks, and which of its parts is meant.
struct Division {
  std::int64_t tensor = 1;   ///< ranks that divide the weights
  bool sequence = false;     ///< these divide the tokens, too, where each token is on its own
  std::int64_t experts = 1;  ///< ranks that divide the experts; each has other tokens
  std::int64_t stage = 0, stages = 1;
};

/// What the user asked to run. Zero and empty mean "as the network has it".
struct WorkloadRequest {
  std::string workload;  ///< a name of the zoo, a shipped graph, or an ONNX file
  std::int64_t batch = 0;
  std::int64_t sequence = 0;
  std::string dtype;
  std::map<std::string, std::int64_t> dimensions;  ///< symbolic dimensions
  std::string launch;        ///< of GPU kernels: graph, kernel or stream; "" = graph
  std::string kernel;        ///< that products take, as a profiler names it; "" = our own choice
  std::int64_t streams = 1;  ///< of a GPU, that operators which don't wait for each other go to
  bool host_copies = false;  ///< inputs come from the host's memory, outputs go there (GPUs)
  Division division{};       ///< the program is one rank's
  ProgramTrials trials{};    ///< none: kernels are chosen by estimate alone
};

/// One operator alone: a row of an operator list.
struct OperatorRequest {
  std::string op;
  std::map<std::string, std::string> shape;
  std::string dtype;
  std::string launch;  ///< graph, kernel, stream or eager; "" = graph
  std::string kernel;  ///< the kernel to take, as a profiler names it; "" = our own choice
  ProgramTrials trials{};
};

/// One collective of a library: a row of an operator list whose chip is a system.
struct CollectiveRequest {
  std::string op;          ///< all_reduce, all_gather, ...
  std::int64_t bytes = 0;  ///< as nccl-tests counts them
  std::int64_t ranks = 0;  ///< 0 = all chips
  std::string algorithm;   ///< ring, tree, nvls, direct; "" = as the library's tuner chooses
  std::string protocol;    ///< ll, ll128, simple
  std::string from = "0", to = "1";  ///< of op copy: the number of a chip, or a host: host0
  std::int64_t late_rank = -1;       ///< begins so much later than the others; -1 = none
  double late_s = 0;
  bool symmetry = true;  ///< ranks that do the same at the same times may be played once
  std::vector<std::int32_t> group{};  ///< chips that are the ranks, in order; none = the first
  std::int64_t weight = 0;  ///< of its traffic on links beside others; 0 = first come, first served
  std::int64_t per_node = 0;  ///< ranks of each node; 0 = nodes are filled one by one
};

struct NamedText {
  std::string name;
  std::string text;
};

class Compiler {
 public:
  virtual ~Compiler() = default;

  virtual Program Compile(const WorkloadRequest& request, const MachineSpec& machine,
                          const TileCost& cost) const = 0;
  virtual Program CompileOperator(const OperatorRequest& request, const MachineSpec& machine,
                                  const TileCost& cost) const = 0;
  virtual LinkProgram CompileCollective(const CollectiveRequest& request,
                                        const ClusterSpec& cluster) const = 0;
  virtual std::vector<NamedText> ListWorkloads() const = 0;
  virtual std::vector<NamedText> ListOperators() const = 0;
  virtual std::vector<NamedText> ListPasses() const = 0;
  virtual std::vector<std::string> ListCollectives() const = 0;
  /// The workload's graph in readable text.
  virtual std::string Print(const WorkloadRequest& request) const = 0;
  /// Reads a network without running it; returns one line about it, or throws UserError.
  virtual std::string Check(const WorkloadRequest& request) const = 0;
};

using CompilerRegistry = Registry<const Compiler* (*)()>;

}  // namespace siliscope
