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
  Tick mean = 0;   ///< over the bytes, when they are there; 0 = all at the end
};

/// Whoever makes requests.
class MemoryClient {
 public:
  virtual ~MemoryClient() = default;
  /// The answer to the request of that tag. A tile zoom answers at once, with times that may lie in
  /// the future; a cycle zoom answers when the last data has moved.
  virtual void Respond(std::uint64_t tag, const MemoryResponse& response) = 0;
};

class MemoryPort : public sc_core::sc_interface {
 public:
  virtual void Request(const MemoryRequest& request, MemoryClient& client, std::uint64_t tag) = 0;
  /// From a request to its first data when nothing else is going on.
  virtual Tick IdleLatency() const = 0;
};

}  // namespace siliscope
