// SPDX-License-Identifier: Apache-2.0
#include "sim/run/worker_pool.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <systemc>
#include <thread>

#include "sim/core/error.h"

namespace siliscope {
namespace {

/// Running workers, for KillWorkers.
std::vector<pid_t>& Running() {
  static std::vector<pid_t> pids;
  return pids;
}

struct Worker {
  std::size_t job;
  pid_t pid;
  int pipe;
  std::string output;
};

void WriteAll(int descriptor, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t written = ::write(descriptor, text.data() + at, text.size() - at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    at += static_cast<std::size_t>(written);
  }
}

[[noreturn]] void RunChild(const std::function<std::string(std::size_t)>& job, std::size_t index,
                           int out) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // no worker outlives the program
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  int code = 0;
  std::string text;
  try {
    text = job(index);
  } catch (const Error& e) {
    code = static_cast<int>(e.code());
    text = e.what();
  } catch (const sc_core::sc_report& e) {
    code = static_cast<int>(ExitCode::kOurFault);
    text = e.what();
  } catch (const std::exception& e) {
    code = static_cast<int>(ExitCode::kOurFault);
    text = e.what();
  }
  WriteAll(out, text);
  ::close(out);
  std::_Exit(code);
}

Worker StartWorker(const std::function<std::string(std::size_t)>& job, std::size_t index) {
  int ends[2];
  if (::pipe(ends) != 0) throw InternalError("no pipe for a worker process");
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) throw InternalError("no worker process could be started");
  if (pid == 0) {
    ::close(ends[0]);
    RunChild(job, index, ends[1]);
  }
  Running().push_back(pid);
  ::close(ends[1]);
  return {index, pid, ends[0], ""};
}

std::string ReadAll(int descriptor) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t count = ::read(descriptor, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return text;
    text.append(buffer, static_cast<std::size_t>(count));
  }
}

/// Reads what a worker has to say; true once it has ended.
bool ReadSome(Worker* worker) {
  char buffer[65536];
  const ssize_t count = ::read(worker->pipe, buffer, sizeof buffer);
  if (count < 0 && errno == EINTR) return false;
  if (count > 0) {
    worker->output.append(buffer, static_cast<std::size_t>(count));
    return false;
  }
  ::close(worker->pipe);
  return true;
}

JobResult Collect(Worker* worker) {
  int status = 0;
  while (::waitpid(worker->pid, &status, 0) < 0 && errno == EINTR) {
  }
  Running().erase(std::remove(Running().begin(), Running().end(), worker->pid), Running().end());
  if (WIFEXITED(status)) return {WEXITSTATUS(status), std::move(worker->output)};
  const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  if (signal == SIGINT) return {static_cast<int>(ExitCode::kInterrupted), "interrupted"};
  return {static_cast<int>(ExitCode::kOurFault),
          "the worker process ended by signal " + std::to_string(signal)};
}

}  // namespace

std::vector<JobResult> RunJobs(std::size_t count,
                               const std::function<std::string(std::size_t)>& job,
                               const std::function<void(std::size_t)>& progress) {
  std::vector<JobResult> results(count);
  std::vector<Worker> workers;
  const std::size_t most = std::max(1U, std::thread::hardware_concurrency());
  std::size_t next = 0, done = 0;
  while (done < count) {
    while (next < count && workers.size() < most) workers.push_back(StartWorker(job, next++));
    std::vector<pollfd> polls;
    for (const Worker& worker : workers) polls.push_back({worker.pipe, POLLIN, 0});
    if (::poll(polls.data(), polls.size(), -1) < 0) continue;
    for (std::size_t i = workers.size(); i-- > 0;) {
      if (polls[i].revents == 0 || !ReadSome(&workers[i])) continue;
      results[workers[i].job] = Collect(&workers[i]);
      workers.erase(workers.begin() + static_cast<std::ptrdiff_t>(i));
      progress(++done);
    }
  }
  return results;
}

WaitingJob::WaitingJob(const std::function<std::string(const std::string&)>& job) {
  int input[2];
  if (::pipe(input) != 0) throw InternalError("no pipe for a worker process");
  const Worker worker = StartWorker(
      [&](std::size_t) {
        ::close(input[1]);
        const std::string text = ReadAll(input[0]);
        return text.empty() ? text : job(text);
      },
      0);
  ::close(input[0]);
  to_job_ = input[1];
  from_job_ = worker.pipe;
  pid_ = worker.pid;
}

WaitingJob::~WaitingJob() {
  if (to_job_ >= 0) Run("");
}

JobResult WaitingJob::Run(const std::string& input) {
  WriteAll(to_job_, input);
  ::close(to_job_);
  to_job_ = -1;
  Worker worker{0, pid_, from_job_, ReadAll(from_job_)};
  ::close(from_job_);
  return Collect(&worker);
}

void KillWorkers() {
  for (const pid_t pid : Running()) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
}

}  // namespace siliscope
