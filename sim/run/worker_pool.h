// SPDX-License-Identifier: Apache-2.0
// Runs independent jobs in forked processes, as many at a time as there are processors: SystemC's
// elaboration is global, so each simulation needs a process of its own. A fork takes half a
// millisecond; everything read before it is shared.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace siliscope {

struct JobResult {
  int exit_code = 0;   ///< of the Error that ended the job; 0 = it returned
  std::string output;  ///< what the job returned, or the error's message
};

/// Runs job(i) for each i below `count`; results stand in order. `progress` is told how many are
/// done, in the parent.
std::vector<JobResult> RunJobs(std::size_t count,
                               const std::function<std::string(std::size_t)>& job,
                               const std::function<void(std::size_t)>& progress);

/// A job in a process that is forked at once and waits for its input: it can simulate after the
/// parent has, and doesn't see what the parent has built since.
class WaitingJob {
 public:
  explicit WaitingJob(const std::function<std::string(const std::string& input)>& job);
  /// The job ends unasked where `Run` was never called.
  ~WaitingJob();
  WaitingJob(const WaitingJob&) = delete;
  WaitingJob& operator=(const WaitingJob&) = delete;

  /// Gives the input and waits for the end; once only.
  JobResult Run(const std::string& input);

 private:
  int to_job_ = -1;
  int from_job_ = -1;
  int pid_ = 0;
};

/// Ends the workers that are still running; for the handler of Ctrl-C.
void KillWorkers();

}  // namespace siliscope
