// SPDX-License-Identifier: Apache-2.0
// Division by a number that is known only at run time but divides often: a shift or a
// multiplication instead of the processor's division. Exact for dividends from 0 to 2^32 and beyond
// that by falling back to the division (Granlund and Montgomery, PLDI 1994, section 4).
#pragma once

#include <cstdint>

namespace siliscope {

class Divisor {
 public:
  Divisor() : Divisor(1) {}
  /// `value` is from 1 to 2^31.
  explicit Divisor(std::int64_t value)
      : value_(static_cast<std::uint64_t>(value)),
        reciprocal_(~std::uint64_t{0} / value_),
        shift_((value_ & (value_ - 1)) == 0 ? __builtin_ctzll(value_) : kNoPower) {}

  std::int64_t value() const { return static_cast<std::int64_t>(value_); }

  std::int64_t Quotient(std::int64_t dividend) const {
    if (shift_ != kNoPower) return dividend >> shift_;
    const auto x = static_cast<std::uint64_t>(dividend);
    if (x >> 32 != 0) return static_cast<std::int64_t>(x / value_);
    // floor(x (floor((2^64 - 1) / d) + 1) / 2^64): the excess is below x d / 2^64, less than 1 / d.
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::int64_t>(static_cast<std::uint64_t>((Wide{x} * reciprocal_ + x) >> 64));
  }

  std::int64_t Remainder(std::int64_t dividend) const {
    return dividend - Quotient(dividend) * value();
  }

 private:
  static constexpr int kNoPower = -1;
  std::uint64_t value_, reciprocal_;
  int shift_;  ///< of a power of two
};

}  // namespace siliscope
