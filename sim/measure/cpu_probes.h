// SPDX-License-Identifier: Apache-2.0
// Measures the core that the program runs on, as its published numbers would be measured: chains
// for the clock, independent multiply-adds for the peak, a chase for latency (McVoy and Staelin,
// lmbench, 1996), sums of vectors for bandwidth (McCalpin, STREAM, 1995), products by the matrix
// library that is installed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace siliscope {

struct CacheSize {
  int level = 0;
  std::int64_t bytes = 0, ways = 0;
};

struct ProbedTime {
  std::int64_t bytes = 0;  ///< of the working set
  std::int64_t count = 0;  ///< loads, or rounds over it
  double seconds = 0;
};

struct ProbedProduct {
  std::int64_t m = 0, n = 0, k = 0;
  double seconds = 0;
};

struct CpuProbes {
  double clock_hz = 0;
  std::int64_t vector_bytes = 0;  ///< of the widest multiply-add; 0 = none that is known
  double flops_per_cycle = 0;     ///< single precision
  std::int64_t line_bytes = 64;
  std::vector<CacheSize> caches;  ///< data and unified ones, as the system tells
  std::vector<ProbedTime> latency, bandwidth;
  std::vector<ProbedProduct> products;
  bool huge_pages = false;
  std::string library;                ///< of the products
  std::vector<std::string> left_out;  ///< what could not be measured, and why
};

/// Takes under a minute; `progress` is called with what comes next.
CpuProbes ProbeCpu(void (*progress)(const std::string&));

}  // namespace siliscope
