// SPDX-License-Identifier: Apache-2.0
// Follows streams of neighbouring lines and says which lines to fetch ahead of them (Jouppi, ISCA
// 1990; as in commercial cores it stays inside of a page, whose successor lies anywhere).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "models/cpu/four_numbers.h"

namespace siliscope {

class StreamPrefetcher {
 public:
  /// Runs `ahead` lines ahead of each of `streams` streams; pages of `lines_per_page` lines.
  StreamPrefetcher(std::int64_t ahead, std::int64_t streams, std::int64_t lines_per_page)
      : ahead_(ahead), lines_per_page_(lines_per_page) {
    if (ahead > 0) streams_.resize(static_cast<std::size_t>(streams));
    // The last places are no streams.
    last_.assign((streams_.size() + kFourNumbers - 1) / kFourNumbers * kFourNumbers, kNoLine);
  }

  struct Range {
    std::int64_t first = 0;  ///< the line to begin with
    std::int64_t count = 0;
    std::int64_t step = 1;  ///< 1 or -1
    std::size_t stream = 0;
  };
  /// A line that was asked for; which lines shall come.
  Range Observe(std::int64_t line);
  /// What is left of a range was not fetched: it comes with the stream's next step.
  void Postpone(const Range& range) { streams_[range.stream].fetched = range.first - range.step; }

 private:
  struct Stream {
    std::int64_t step = 0;        ///< direction; 0 = not known yet
    std::int64_t fetched = 0;     ///< the furthest line that was asked for
    std::int64_t confidence = 0;  ///< steps, as far as they matter
    std::uint64_t used = 0;
  };

  static constexpr std::uint32_t kNoLine = ~std::uint32_t{0} - 1024;

  std::int64_t ahead_, lines_per_page_;
  std::vector<Stream> streams_;
  std::vector<std::uint32_t> last_;  ///< line of each stream
  std::size_t recent_ = 0;           ///< stream that was met last
  std::uint64_t uses_ = 0;
};

}  // namespace siliscope
