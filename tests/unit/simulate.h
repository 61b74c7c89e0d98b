// SPDX-License-Identifier: Apache-2.0
// Short ways to run a simulation in a test, each in a process of its own.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "sim/run/metrics.h"
#include "sim/run/simulation.h"

namespace siliscope {

inline SimulationRequest Request(const std::string& system, const std::string& workload,
                                 std::vector<Override> overrides = {},
                                 std::vector<std::string> ideal = {}) {
  SimulationRequest request;
  request.system = system;
  request.overrides = std::move(overrides);
  request.ideal = std::move(ideal);
  WorkloadRequest work;
  work.workload = workload;
  request.work = work;
  return request;
}

/// What `measure` returns, run in a child process: one test can compare several simulations.
template <typename Measure>
double InChild(Measure measure) {
  int ends[2];
  if (::pipe(ends) != 0) ADD_FAILURE();
  if (::fork() == 0) {
    const double value = measure();
    if (::write(ends[1], &value, sizeof value) != sizeof value) std::_Exit(1);
    std::_Exit(0);
  }
  double value = -1;
  if (::read(ends[0], &value, sizeof value) != sizeof value) {
    ADD_FAILURE() << "the simulation failed";
  }
  ::close(ends[0]);
  ::close(ends[1]);
  return value;
}

inline double Microseconds(const SimulationRequest& request) {
  return InChild([&] { return ToMicroseconds(Simulate(request).record.total); });
}

/// What goes away when a resource is ideal, over what was charged to some causes.
inline double GivenBack(const SimulationRequest& request, const std::string& resource,
                        const std::vector<Cause>& causes) {
  SimulationRequest ideal = request;
  ideal.ideal = {resource};
  const double whole = Microseconds(request);
  const double charged = InChild([&] {
    const Metrics m = ComputeMetrics(Simulate(request));
    double percent = 0;
    for (const Cause c : causes) percent += m.cause_pct[static_cast<std::size_t>(c)];
    return m.time_us * percent / 100;
  });
  return (whole - Microseconds(ideal)) / charged;
}

}  // namespace siliscope
