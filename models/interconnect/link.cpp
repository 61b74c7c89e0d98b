// SPDX-License-Identifier: Apache-2.0
#include "models/interconnect/link.h"

#include <algorithm>
#include <cmath>

namespace siliscope {
namespace {

Tick Duration(std::int64_t bytes, double bytes_per_s) {
  return static_cast<Tick>(static_cast<double>(bytes) / bytes_per_s * 1e12 + 0.5);
}

}  // namespace

LinkDirection::LinkDirection(const sc_core::sc_module_name& name, const LinkSpec& spec,
                             std::int64_t links, double node_latency_s)
    : sc_core::sc_module(name),
      spec_(spec),
      bytes_per_s_(spec.bytes_per_s * static_cast<double>(links)),
      latency_(static_cast<Tick>(std::llround((spec.latency_s + node_latency_s) * 1e12))) {
  port.bind(*this);
  use_.peak_bytes_per_s = bytes_per_s_;
}

Passage LinkDirection::Pass(const Burst& burst) {
  const std::int64_t packet_bytes = burst.copy_engine ? spec_.copy_bytes : spec_.store_bytes;
  const std::int64_t wire = spec_.WireBytes(burst.bytes, packet_bytes);
  const Tick begins = std::max(burst.ready, free_at_);
  const Tick duration = Duration(wire + owed_bytes_, bytes_per_s_);
  const std::int64_t packet = spec_.WireBytes(std::min(burst.bytes, packet_bytes), packet_bytes);
  Passage passage;
  passage.begins = begins;
  passage.first = begins + Duration(packet, bytes_per_s_) + latency_;
  // A burst that is still coming in can't have left; the wire is another's meanwhile.
  passage.served = std::max(begins + duration, burst.complete);
  passage.last = passage.served + latency_;
  free_at_ = begins + duration;
  use_.response_bytes += owed_bytes_;
  owed_bytes_ = 0;
  use_.busy += duration;
  use_.wire_bytes += wire;
  use_.data_bytes += burst.bytes;
  if (opposite_ != nullptr) {
    opposite_->Answer(spec_.OppositeBytes(burst.bytes, packet_bytes, burst.reads));
  }
  return passage;
}

LinkUse LinkDirection::use() const {
  LinkUse use = use_;
  use.response_bytes += owed_bytes_;
  use.busy += Duration(owed_bytes_, bytes_per_s_);
  return use;
}

}  // namespace siliscope
