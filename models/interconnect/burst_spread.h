// SPDX-License-Identifier: Apache-2.0
// Bursts of lanes whose routes lead through switches side by side: which way each takes, how many
// may wait, and when a piece whose bursts arrive in any order is there.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "sim/contract/link_program.h"
#include "sim/core/time.h"

namespace siliscope {

class BurstSpread {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  /// `window`: bursts of a lane that may wait for each way at a time.
  BurstSpread(const LinkProgram& program, std::uint32_t window);

  bool Spreads(std::int32_t route) const {
    const auto at = static_cast<std::size_t>(route);
    return at < turns_.size() && !turns_[at].empty();
  }
  /// The way of the next burst.
  std::int32_t Turn(std::int32_t route);

  /// Burst number `burst` of a lane's piece leaves and has left the sender at `served`.
  void Sent(std::uint32_t lane, std::int32_t route, std::uint32_t burst, Tick served);
  /// When the burst of this number may leave; 0 = at once.
  Tick Room(std::uint32_t lane, std::int32_t route, std::uint32_t burst) const;

  /// A burst of the piece that a lane sends to its target; returns the piece.
  std::uint32_t Leave(std::uint32_t lane, int target, bool last);
  void Arrive(std::uint32_t piece, Tick when);
  /// Takes the oldest of the lane's pieces if it is there whole. A piece does not overtake another.
  bool TakeArrived(std::uint32_t lane, int target, Tick* when);

 private:
  struct Piece {
    std::uint32_t flying = 0, next = kNone;
    bool whole = false;  ///< its last burst has left
    Tick latest = 0;
  };
  struct Queue {
    std::uint32_t oldest = kNone, newest = kNone;
  };
  std::uint32_t WindowOf(std::int32_t route) const {
    return windows_[static_cast<std::size_t>(route)];
  }

  const std::vector<std::vector<std::int32_t>>& turns_;
  std::vector<std::uint32_t> windows_, turn_;  ///< of each route
  std::vector<std::vector<Tick>> served_;      ///< by lane, of its last bursts
  std::vector<std::array<Queue, 2>> queues_;
  std::vector<Piece> pieces_;
  std::vector<std::uint32_t> free_;
};

}  // namespace siliscope
