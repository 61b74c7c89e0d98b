// SPDX-License-Identifier: Apache-2.0
#include "sim/cli/progress.h"

#include <unistd.h>

#include <cstdio>
#include <utility>

namespace siliscope {

Progress::Progress(std::string what, std::size_t total)
    : what_(std::move(what)), total_(total), shown_(total > 1 && ::isatty(STDERR_FILENO) == 1) {
  Done(0);
}
Progress::~Progress() {
  if (shown_) std::fprintf(stderr, "\r\033[K");
}
void Progress::Done(std::size_t done) {
  if (!shown_) return;
  const std::size_t bar = done * 30 / total_;
  std::fprintf(stderr, "\r%s [%s%s] %zu of %zu", what_.c_str(), std::string(bar, '#').c_str(),
               std::string(30 - bar, ' ').c_str(), done, total_);
  std::fflush(stderr);
}

}  // namespace siliscope
