// SPDX-License-Identifier: Apache-2.0
// A link at both zooms under a load, for pictures and tests: which flits went, and how long it
// took.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "sim/contract/link_spec.h"
#include "sim/core/registry.h"

namespace siliscope {

struct LinkLoad {
  std::int64_t bytes = 0;  ///< of each direction
  std::int64_t packet_bytes = 128;
  bool both_directions = false;
  bool reads = false;  ///< instead of writes
  std::uint64_t seed = 1;
  bool frames = false;  ///< record each cycle
};

/// Of one direction.
struct LinkFlits {
  std::int64_t data_bytes = 0, data_flits = 0, header_flits = 0, acknowledge_flits = 0;
  std::int64_t replayed_flits = 0, errors = 0;
  std::int64_t idle_cycles = 0, credit_wait_cycles = 0, replay_wait_cycles = 0;
};

struct LinkRecording {
  std::uint64_t cycles = 0;     ///< flit times until all is answered
  double seconds = 0;           ///< the same
  double data_bytes_per_s = 0;  ///< of a direction that carries data, between start and last data
  double tile_seconds = 0;      ///< until the last data has come, at tile zoom
  double cycle_seconds = 0;     ///< the same, at cycle zoom
  std::array<LinkFlits, 2> directions;
  /// What each direction sends in each cycle: 0 nothing, 1 header, 2 data, 3 acknowledgement.
  std::vector<std::array<int, 2>> frames;
};

/// Throws UserError where the link makes no progress: fewer credits than a packet has flits.
using LinkRecorder = LinkRecording (*)(const LinkSpec& spec, const LinkLoad& load);
using LinkRecorderRegistry = Registry<LinkRecorder>;

}  // namespace siliscope
