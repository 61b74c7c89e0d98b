// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/stream_prefetcher.h"

#include <algorithm>
#include <cstdlib>

namespace siliscope {

StreamPrefetcher::Range StreamPrefetcher::Observe(std::int64_t line) {
  constexpr std::int64_t kNear = 2;  ///< lines that an access may be out of order
  constexpr int kConfident = 2;      ///< steps in one direction before anything is fetched
  if (streams_.empty()) return {};
  Stream* stream = nullptr;
  Stream* oldest = &streams_.front();
  for (Stream& s : streams_) {
    if (std::abs(line - s.last) <= kNear) {
      stream = &s;
      break;
    }
    if (s.used < oldest->used) oldest = &s;
  }
  if (stream == nullptr) {
    *oldest = {line, 0, line, 0, ++uses_};
    return {};
  }
  stream->used = ++uses_;
  const std::int64_t moved = line - stream->last;
  if (moved == 0) return {};
  const std::int64_t step = moved > 0 ? 1 : -1;
  if (step != stream->step) {
    if (stream->confidence > 0 && stream->step != 0) {  // out of order, or the stream turns
      --stream->confidence;
      return {};
    }
    stream->step = step;
    stream->fetched = line;
  }
  stream->confidence = std::min(stream->confidence + 1, 2 * kConfident);
  stream->last = line;
  if (stream->confidence < kConfident) return {};
  // Inside of the page.
  const std::int64_t page = line / lines_per_page_;
  const std::int64_t edge = step > 0 ? (page + 1) * lines_per_page_ - 1 : page * lines_per_page_;
  std::int64_t to = line + step * ahead_;
  to = step > 0 ? std::min(to, edge) : std::max(to, edge);
  std::int64_t from = stream->fetched;
  if ((from - line) * step < 0) from = line;
  Range range{from + step, std::max<std::int64_t>(0, (to - from) * step), step,
              static_cast<std::size_t>(stream - streams_.data())};
  if (range.count > 0) stream->fetched = to;
  return range;
}

}  // namespace siliscope
