// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/copy_engine.h"

#include <algorithm>
#include <cmath>

namespace siliscope {
namespace {

constexpr std::int64_t kRequestBytes = 4096;

Tick Ticks(double seconds) { return static_cast<Tick>(std::llround(seconds * 1e12)); }

}  // namespace

HostLink::HostLink(const sc_core::sc_module_name& name, const GpuHostLinkSpec& spec,
                   std::int64_t partitions)
    : sc_core::sc_module(name), spec_(spec), partitions_(partitions) {}

Tick HostLink::Cross(HostCopy way, Tick ready, std::int64_t bytes) {
  const std::size_t at = way == HostCopy::kToChip ? 0 : 1;
  bytes_[at] += bytes;
  if (spec_.bytes_per_s <= 0) return ready;  // an ideal link
  const std::int64_t packets = (bytes + spec_.payload_bytes - 1) / spec_.payload_bytes;
  const auto on_link = static_cast<double>(bytes + packets * spec_.overhead_bytes);
  const Tick duration = Ticks(on_link / spec_.bytes_per_s);
  return ways_[at].Reserve(ready, duration) + duration;
}

CopyPlayer::CopyPlayer(const GpuProgram& program, std::uint32_t launch, HostLink& link,
                       EventQueue& events, Owner& owner)
    : kernel_(program.kernels[program.launches[launch].kernel]),
      tensor_(program.tensors[kernel_.streams.front().tensor]),
      launch_(launch),
      tensor_index_(kernel_.streams.front().tensor),
      link_(link),
      events_(events),
      owner_(owner) {}

void CopyPlayer::Start(Tick now) {
  end_ = now;
  Dispatch(now);
}

void CopyPlayer::Dispatch(Tick now) {
  if (running_ || !link_.HasEngine()) return;
  running_ = true;
  link_.TakeEngine();
  events_.Schedule(now + Ticks(link_.spec().setup_s), &CallNext, this, 0);
}

/// One request: whole rows or a part of one.
void CopyPlayer::Next() {
  const Tick now = events_.now();
  while (!under_way_.empty() && under_way_.front() <= now) under_way_.pop_front();
  const auto most = static_cast<std::size_t>(
      std::max<std::int64_t>(1, link_.spec().outstanding_bytes / kRequestBytes));
  if (under_way_.size() >= most) {
    events_.Schedule(under_way_.front(), &CallNext, this, 0);
    return;
  }
  Rectangle r;
  r.row = row_;
  r.byte = byte_;
  const std::int64_t row_bytes = LineRowBytes(tensor_), rows = LineRows(tensor_);
  if (row_bytes < kRequestBytes) {
    r.rows = std::min(rows - row_, std::max<std::int64_t>(1, kRequestBytes / row_bytes));
    r.bytes = row_bytes;
    row_ += r.rows;
  } else {
    r.rows = 1;
    r.bytes = std::min(kRequestBytes, row_bytes - byte_);
    byte_ += r.bytes;
    if (byte_ == row_bytes) byte_ = 0, ++row_;
  }
  const std::int64_t bytes = r.rows * r.bytes;
  const Tick half = Ticks(link_.spec().latency_s / 2);
  const std::size_t partition = static_cast<std::size_t>(r.row % link_.partitions());
  Tick crossed = 0, done = 0;
  if (kernel_.host_copy == HostCopy::kToChip) {  // a request to the host, which answers with data
    crossed = link_.Cross(HostCopy::kToChip, now + half, bytes);
    done = link_.l2->Access({now, crossed + half, launch_, tensor_index_, r, partition, true}).end;
  } else {
    const Tick read = link_.l2->Access({now, now, launch_, tensor_index_, r, partition, false}).end;
    crossed = link_.Cross(HostCopy::kFromChip, read, bytes);
    done = crossed + half;
  }
  under_way_.push_back(done);
  end_ = std::max(end_, done);
  if (row_ == rows) {
    events_.Schedule(end_, &CallEnd, this, 0);
  } else {
    events_.Schedule(now + 1, &CallNext, this, 0);
  }
}

void CopyPlayer::End() {
  link_.GiveEngine();
  owner_.KernelDone(launch_, end_);
}

}  // namespace siliscope
