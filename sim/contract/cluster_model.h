// SPDX-License-Identifier: Apache-2.0
// Hardware that moves data between chips, behind the contract, and what happened on it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sim/contract/cluster_spec.h"
#include "sim/contract/execution_graph.h"
#include "sim/contract/link_program.h"
#include "sim/contract/waveform.h"
#include "sim/core/registry.h"
#include "sim/core/time.h"

namespace siliscope {

/// One direction of the links between two nodes.
struct LinkUse {
  std::string name;  ///< "gpu0 -> nvswitch"
  double peak_bytes_per_s = 0;
  std::int64_t data_bytes = 0;      ///< protocol flags included
  std::int64_t wire_bytes = 0;      ///< with headers
  std::int64_t response_bytes = 0;  ///< of the opposite direction's data
  Tick busy = 0;
  std::int64_t alike = 1;              ///< links that did the same, of ranks that were played once
  std::int64_t acknowledge_bytes = 0;  ///< at cycle zoom only
  std::int64_t replayed_bytes = 0;
  Tick credit_wait = 0;
};

struct ClusterOptions {
  bool spans = false;
  std::vector<std::string> zoom{};  ///< names of nodes whose links run at cycle zoom; "links": all
  Waveform* waveform = nullptr;     ///< where zoomed links write what they send, or null
};

/// What a lane does; its times sum to the whole. It sends at its own rate (kWrite) or at that at
/// which the links take what it sends (kWire).
enum class LaneState : std::uint8_t {
  kLaunch,
  kWait,
  kCredit,
  kOverhead,
  kWrite,
  kWire,
  kLocal,
  kIdle
};
inline constexpr std::size_t kLaneStates = 8;
inline constexpr std::array<const char*, kLaneStates> kLaneStateNames = {
    "launch", "wait_for_data", "wait_for_room", "synchronisation",
    "write",  "wire",          "local",         "idle"};

struct LaneUse {
  std::array<Tick, kLaneStates> times{};
  std::int64_t pieces = 0;
  Tick done = 0;
};

struct LaneSpan {
  Tick begin = 0, end = 0;
  std::uint32_t lane = 0;
  LaneState state = LaneState::kIdle;
};

struct LinkSpan {
  Tick begin = 0, end = 0;
  std::uint32_t link = 0;  ///< directed
  std::uint32_t lane = 0;
};

struct ClusterRecord {
  Tick total = 0;
  std::vector<LinkUse> links;  ///< directed: 2 x edge, plus 1
  std::vector<LaneUse> lanes;
  std::vector<LaneSpan> lane_spans;
  std::vector<LinkSpan> link_spans;
  std::uint64_t events = 0;
  std::uint64_t messages = 0;  ///< bursts that passed a link
};

struct NodeTimes {
  Tick begin = 0, end = 0;
};

/// Where a rank's time goes; the four sum to the whole.
struct RankUse {
  Tick compute = 0;
  Tick overlapped = 0;  ///< computing and exchanging at once
  Tick exchange = 0;    ///< in a collective or sending only
  Tick idle = 0;        ///< waiting for what it receives, or done
};

struct ExecutionRecord {
  Tick total = 0;
  std::vector<NodeTimes> nodes;  ///< of each node of the graph
  std::vector<RankUse> ranks;
  std::vector<LinkUse> links;
  std::uint64_t events = 0, messages = 0;
};

class ClusterModel {
 public:
  virtual ~ClusterModel() = default;
  /// Runs the program to its end. Throws InternalError where lanes wait for each other forever.
  virtual ClusterRecord Run(const LinkProgram& program, const ClusterOptions& options) = 0;
  /// The same of all nodes of a graph.
  virtual ExecutionRecord Run(const ExecutionGraph& graph, const ClusterOptions& options) = 0;
};

using ClusterModelRegistry = Registry<std::unique_ptr<ClusterModel> (*)(const ClusterSpec& spec)>;

}  // namespace siliscope
