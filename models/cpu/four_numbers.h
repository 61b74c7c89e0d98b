// SPDX-License-Identifier: Apache-2.0
// Four numbers that are compared at once, in any compiler's vectors: searches in short arrays whose
// length is a multiple of four.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace siliscope {

using FourNumbers = std::uint32_t __attribute__((vector_size(16)));
inline constexpr std::size_t kFourNumbers = 4;

inline FourNumbers LoadFour(const std::uint32_t* from) {
  FourNumbers four;
  std::memcpy(&four, from, sizeof(four));
  return four;
}

/// The index, plus one, of the number that is at most `width` above `low`; 0 = there is none. Of
/// several all indices, or'ed.
inline std::uint32_t IndexWithin(const std::uint32_t* from, std::size_t count, std::uint32_t low,
                                 std::uint32_t width) {
  FourNumbers found = {0, 0, 0, 0}, index = {1, 2, 3, 4};
  for (std::size_t i = 0; i < count; i += kFourNumbers) {
    found |= reinterpret_cast<FourNumbers>(LoadFour(from + i) - low <= width) & index;
    index += kFourNumbers;
  }
  return found[0] | found[1] | found[2] | found[3];
}

/// The index, plus one, of a number; 0 = it is not there. Of equal ones all indices, or'ed.
inline std::uint32_t IndexOf(const std::uint32_t* from, std::size_t count, std::uint32_t number) {
  FourNumbers found = {0, 0, 0, 0}, index = {1, 2, 3, 4};
  for (std::size_t i = 0; i < count; i += kFourNumbers) {
    found |= reinterpret_cast<FourNumbers>(LoadFour(from + i) == number) & index;
    index += kFourNumbers;
  }
  return found[0] | found[1] | found[2] | found[3];
}

inline std::uint32_t LeastOf(const std::uint32_t* from, std::size_t count) {
  FourNumbers least = LoadFour(from);
  for (std::size_t i = kFourNumbers; i < count; i += kFourNumbers) {
    const FourNumbers next = LoadFour(from + i);
    least = next < least ? next : least;
  }
  return std::min(std::min(least[0], least[1]), std::min(least[2], least[3]));
}

}  // namespace siliscope
