// SPDX-License-Identifier: Apache-2.0
// What every memory offers and every mover binds to: one call a request (a piece of a copy), not a
// beat. A monitor can stand between any two units by binding to one and exporting to the other.
#pragma once

#include <cstdint>
#include <systemc>

#include "sim/core/time.h"

namespace siliscope {

struct MemoryRequest {
  Tick when = 0;  ///< the request leaves the requester
  std::int64_t address = 0;
  std::int64_t bytes = 0;
  bool write = false;
};

struct MemoryResponse {
  Tick first = 0;  ///< first data at the requester
  Tick end = 0;    ///< last data at the requester (write: accepted)
};

class MemoryPort : public sc_core::sc_interface {
 public:
  /// Requests must be made in order of time.
  virtual MemoryResponse Access(const MemoryRequest& request) = 0;
  /// From a request to its first data when nothing else is going on.
  virtual Tick IdleLatency() const = 0;
};

}  // namespace siliscope
