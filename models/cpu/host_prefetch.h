// SPDX-License-Identifier: Apache-2.0
// Asks the host for memory ahead of its use. Tables of all the caches of a chip are larger than the
// host's own caches, and a line that is looked up in them would wait for its memory each time.
#pragma once

#include <cstddef>

namespace siliscope {

inline void HostPrefetch(const void* from, std::size_t bytes) {
  constexpr std::size_t kHostLine = 64;
  const auto* at = static_cast<const std::byte*>(from);
  for (std::size_t i = 0; i < bytes; i += kHostLine) __builtin_prefetch(at + i);
  asm volatile("");  // GCC takes a function that only prefetches for one that does nothing
}

}  // namespace siliscope
