// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/stream_prefetcher.h"

#include <algorithm>

namespace siliscope {

StreamPrefetcher::Range StreamPrefetcher::Observe(std::int64_t line) {
  constexpr std::uint32_t kNear = 2;      ///< lines that an access may be out of order
  constexpr std::int64_t kConfident = 2;  ///< steps in one direction before anything is fetched
  if (streams_.empty()) return {};
  const auto number = static_cast<std::uint32_t>(line);
  std::size_t found = 0;
  if (number - last_[recent_] + kNear > 2 * kNear) {
    const std::uint32_t place = IndexWithin(last_.data(), last_.size(), number - kNear, 2 * kNear);
    found = place == 0 ? streams_.size() : place - 1;
    // Two streams that meet: their indices are or'ed.
    if (place != 0 && (found >= streams_.size() || number - last_[found] + kNear > 2 * kNear)) {
      found = 0;
      while (number - last_[found] + kNear > 2 * kNear) ++found;
    }
  } else {
    found = recent_;
  }
  if (found == streams_.size()) {
    const auto oldest =
        std::min_element(streams_.begin(), streams_.end(),
                         [](const Stream& a, const Stream& b) { return a.used < b.used; });
    *oldest = {0, line, 0, ++uses_};
    recent_ = static_cast<std::size_t>(oldest - streams_.begin());
    last_[recent_] = number;
    return {};
  }
  recent_ = found;
  Stream* stream = &streams_[found];
  stream->used = ++uses_;
  const std::int64_t moved = line - std::int64_t{last_[found]};
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
  stream->confidence = std::min(stream->confidence + 1, ahead_ + kConfident);
  last_[found] = number;
  if (stream->confidence < kConfident) return {};
  // Inside of the page.
  const std::int64_t page = line / lines_per_page_;
  const std::int64_t edge = step > 0 ? (page + 1) * lines_per_page_ - 1 : page * lines_per_page_;
  // Far ahead of a stream that has been followed for long, else twice as far as it has come
  // (assumed: cores don't publish it).
  std::int64_t to = line + step * std::min(ahead_, 2 * stream->confidence);
  to = step > 0 ? std::min(to, edge) : std::max(to, edge);
  std::int64_t from = stream->fetched;
  if ((from - line) * step < 0) from = line;
  Range range{from + step, std::max<std::int64_t>(0, (to - from) * step), step, found};
  if (range.count > 0) stream->fetched = to;
  return range;
}

}  // namespace siliscope
