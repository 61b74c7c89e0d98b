// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

namespace siliscope {

/// A progress bar on standard error, on a terminal only.
class Progress {
 public:
  Progress(std::string what, std::size_t total);
  ~Progress();
  void Done(std::size_t done);

 private:
  std::string what_;
  std::size_t total_;
  bool shown_;
};

}  // namespace siliscope
