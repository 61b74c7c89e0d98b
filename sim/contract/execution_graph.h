// SPDX-License-Identifier: Apache-2.0
// What the ranks of a system do, and in which order: computations, collectives, sends and receives,
// each waiting for others of its rank. It comes from a network divided over chips or from a Chakra
// execution trace.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sim/contract/link_program.h"
#include "sim/core/time.h"

namespace siliscope {

enum class ExecutionKind : std::uint8_t { kCompute, kCollective, kSend, kReceive };

/// How long a computation takes while collectives hold some of the chip's SMs (or cores).
struct Pace {
  std::int64_t units_taken = 0;
  Tick duration = 0;
};

struct ExecutionNode {
  std::string name;
  ExecutionKind kind = ExecutionKind::kCompute;
  std::int32_t rank = 0;
  /// Nodes of a rank's stream run one after another, in the order in which the graph has them.
  std::int32_t stream = 0;
  Tick duration = 0;           ///< of a computation that has its chip to itself
  std::vector<Pace> beside{};  ///< the same beside collectives, by growing units_taken
  Tick delay = 0;              ///< of an exchange: a host's call, before it begins
  std::string op;              ///< of a collective: all_reduce, ...
  std::string algorithm;       ///< of a collective; "" = as the library chooses
  std::int64_t bytes = 0;      ///< of an exchange (of a collective as nccl-tests counts them), or
                               ///< that a computation reads and writes
  double operations = 0;       ///< of a computation
  std::int32_t group = -1;     ///< of a collective: index into ExecutionGraph::groups
  std::int32_t peer = -1;      ///< of a send or receive: the other rank
  std::int32_t tag = 0;
  std::vector<std::uint32_t> after{};  ///< nodes of the same rank that must be done
  std::int32_t exchange = -1;          ///< index into ExecutionGraph::exchanges
};

/// compute, send, receive or the collective, for the reader.
inline const char* KindNameOf(const ExecutionNode& node) {
  switch (node.kind) {
    case ExecutionKind::kCollective:
      return node.op.c_str();
    case ExecutionKind::kSend:
      return "send";
    case ExecutionKind::kReceive:
      return "receive";
    case ExecutionKind::kCompute:
      break;
  }
  return "compute";
}

/// One collective or message, which nodes of several ranks take part in.
struct Exchange {
  std::int32_t program = 0;            ///< index into ExecutionGraph::programs
  std::vector<std::uint32_t> nodes{};  ///< by rank of the program
};

struct ExecutionGraph {
  std::string workload;
  std::int32_t ranks = 0;
  std::vector<ExecutionNode> nodes;
  std::vector<std::vector<std::int32_t>> groups;  ///< ranks of each, in their order
  std::vector<Exchange> exchanges;
  std::vector<LinkProgram> programs;  ///< lanes of those that differ
};

}  // namespace siliscope
