// SPDX-License-Identifier: Apache-2.0
#include "traces/chrome_gpu_tracks.h"

#include <map>

namespace siliscope {
namespace {

constexpr int kStreamProcess = 3;
constexpr int kCtaProcess = 4;
constexpr int kWarpProcess = 5;
constexpr int kPipeProcess = 6;
constexpr std::size_t kLanes = 64;         // of an SM, at most
constexpr std::uint32_t kPipeTracks = 16;  // of a sub-core, at most

class GpuTracks {
 public:
  GpuTracks(ChromeEvents& events, const Program& program, const Record& record)
      : events_(events), program_(program), record_(record) {}

  /// A track a stream: what waits to be launched, and what runs.
  void WriteKernels() {
    if (record_.kernels.empty()) return;
    events_.Name("process_name", kStreamProcess, 0, "kernels");
    std::map<std::uint32_t, bool> named;
    for (const KernelRecord& k : record_.kernels) {
      const GpuLaunch& launch = program_.gpu.launches[k.launch];
      const GpuKernel& kernel = program_.gpu.kernels[launch.kernel];
      if (!named[launch.stream]) {
        events_.Name("thread_name", kStreamProcess, launch.stream,
                     fmt::format("stream {}", launch.stream));
        named[launch.stream] = true;
      }
      if (!events_.InWindow(k.start, k.end)) continue;
      events_.Event(
          "{{\"ph\":\"X\",\"name\":{},\"cat\":\"kernel\",\"pid\":{},\"tid\":{},\"ts\":{},"
          "\"dur\":{},\"args\":{{\"operator\":{},\"launch\":{},\"tile\":{},\"ctas\":{},"
          "\"waves\":{:.4g},\"occupancy_pct\":{:.4g},\"limiter\":{}}}}}",
          JsonText(kernel.name), kStreamProcess, launch.stream, events_.At(k.start),
          events_.Length(k.start, k.end), launch.op, k.launch, JsonText(kernel.tile), k.ctas,
          k.waves, k.occupancy_pct, JsonText(k.limiter));
    }
  }

  /// A track for each CTA that an SM holds at a time.
  void WriteCtas() {
    if (record_.ctas.empty()) return;
    events_.Name("process_name", kCtaProcess, 0, "CTAs");
    std::map<std::size_t, bool> named;
    for (const CtaRecord& cta : record_.ctas) {
      const std::string& sm = record_.units[cta.sm].name;
      if (!events_.Shown(sm) || !events_.InWindow(cta.begin, cta.end)) continue;
      const std::size_t thread = cta.sm * kLanes + cta.lane;
      if (!named[thread]) {
        events_.Name("thread_name", kCtaProcess, thread, fmt::format("{} CTA {}", sm, cta.lane));
        named[thread] = true;
      }
      const GpuLaunch& launch = program_.gpu.launches[cta.launch];
      events_.Event(
          "{{\"ph\":\"X\",\"name\":\"{},{}\",\"cat\":\"cta\",\"pid\":{},\"tid\":{},"
          "\"ts\":{},\"dur\":{},\"args\":{{\"operator\":{},\"launch\":{},\"kernel\":{}}}}}",
          cta.row, cta.column, kCtaProcess, thread, events_.At(cta.begin),
          events_.Length(cta.begin, cta.end), launch.op, cta.launch,
          JsonText(program_.gpu.kernels[launch.kernel].name));
    }
  }

  /// Instructions at cycle zoom: on the track of their warp, and on that of their pipe.
  void WriteIssues() {
    std::map<std::uint32_t, bool> warps, pipes;
    for (const IssueRecord& i : record_.issues) {
      const std::string& sm = record_.units[i.sm].name;
      if (!events_.Shown(sm) || !events_.InWindow(i.begin, i.pipe_free)) continue;
      if (warps.empty()) {
        events_.Name("process_name", kWarpProcess, 0, sm + " warps");
        events_.Name("process_name", kPipeProcess, 0, sm + " pipes");
      }
      const std::uint32_t pipe = i.subcore * kPipeTracks + i.pipe_number;
      if (!warps[i.warp]) {
        events_.Name("thread_name", kWarpProcess, i.warp, fmt::format("warp {}", i.warp));
        warps[i.warp] = true;
      }
      if (!pipes[pipe]) {
        events_.Name("thread_name", kPipeProcess, pipe,
                     fmt::format("sub-core {} {}", i.subcore, i.pipe));
        pipes[pipe] = true;
      }
      WriteIssue(i, kWarpProcess, i.warp, i.issued);
      WriteIssue(i, kPipeProcess, pipe, i.pipe_free);
    }
  }

  void WriteIssue(const IssueRecord& i, int process, std::uint32_t thread, Tick end) {
    events_.Event(
        "{{\"ph\":\"X\",\"name\":\"{}\",\"cat\":\"{}\",\"pid\":{},\"tid\":{},\"ts\":{},"
        "\"dur\":{},\"args\":{{\"warp\":{},\"launch\":{}}}}}",
        WarpOpcodeName(i.op), i.pipe, process, thread, events_.At(i.begin),
        events_.Length(i.begin, end), i.warp, i.launch);
  }

 private:
  ChromeEvents& events_;
  const Program& program_;
  const Record& record_;
};

}  // namespace

void WriteGpuTracks(ChromeEvents& events, const Program& program, const Record& record) {
  GpuTracks tracks(events, program, record);
  tracks.WriteKernels();
  tracks.WriteCtas();
  tracks.WriteIssues();
}

}  // namespace siliscope
