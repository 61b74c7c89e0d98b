// SPDX-License-Identifier: Apache-2.0
// A hash of contents, to tell whether two files are the same; not for secrets. FNV-1a, 64 bits
// (Fowler, Noll, Vo; IETF draft-eastlake-fnv).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace siliscope {

inline std::string ContentHash(std::string_view bytes) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : bytes) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 1099511628211ULL;
  }
  std::string text(16, '0');
  for (std::size_t i = 0; i < 16; ++i) text[15 - i] = "0123456789abcdef"[(hash >> (4 * i)) & 15];
  return text;
}

}  // namespace siliscope
