// SPDX-License-Identifier: Apache-2.0
// Where steps repeat themselves over a system, one link can stand for all that do the same at the
// same times.
#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "sim/contract/topology.h"

namespace siliscope {

/// A shift of a system onto itself, as directed links map to each other.
class LinkShift {
 public:
  explicit LinkShift(const Topology& topology) : topology_(topology) {}

  /// The links of one way become those of another. False where they differ in kind, or where a link
  /// would map to two: then there is no such shift.
  bool Add(const Route& from, const Route& to);
  /// One of the links that repeated shifts map to each other, always the same.
  std::int32_t Representative(std::int32_t link) const;

 private:
  bool AddLink(std::int32_t from, std::int32_t to);
  std::int32_t LeastOfOrbit(std::int32_t link) const;

  const Topology& topology_;
  std::map<std::int32_t, std::int32_t> to_, from_;
  mutable std::unordered_map<std::int32_t, std::int32_t> representatives_;  ///< as far as known
};

}  // namespace siliscope
