// SPDX-License-Identifier: Apache-2.0
#include "models/memory/zoomed_dram.h"

#include <fmt/format.h>

namespace siliscope {

ZoomedDram::ZoomedDram(const sc_core::sc_module_name& name, const DramSpec& spec, Domain& chip,
                       Waveform* waveform)
    : Dram(name, spec),
      chip_(chip),
      waveform_(waveform),
      channels_(static_cast<std::size_t>(spec.channels), DramCycle(spec.timing)),
      watched_(channels_.size(), 0),
      slot_(channels_.front().slot()) {
  if (waveform_ != nullptr) AddSignals();
  SC_METHOD(OnSlot);
  sensitive << work_;
  dont_initialize();
}

void ZoomedDram::Request(const MemoryRequest& request, MemoryClient& client, std::uint64_t tag) {
  if (request.bytes <= 0) {
    client.Respond(tag, {request.when, request.when});
    return;
  }
  if (free_pending_.empty()) {
    free_pending_.push_back(static_cast<std::uint32_t>(pending_.size()));
    pending_.emplace_back();
  }
  const std::uint32_t index = free_pending_.back();
  free_pending_.pop_back();
  pending_[index] = {request, &client, tag, 0, {kNever, 0}};
  const auto arrive = [](void* self, std::uint64_t p) {
    static_cast<ZoomedDram*>(self)->Arrive(static_cast<std::uint32_t>(p));
  };
  chip_.PostFromOutside(request.when + controller_latency_ / 2, arrive, this, index);
}

void ZoomedDram::Arrive(std::uint32_t index) {
  const MemoryRequest request = pending_[index].request;
  const Tick now = chip_.queue().now();
  ForEachChannel(request, [&](std::size_t c, std::int64_t address, std::int64_t bytes) {
    ++pending_[index].pieces_left;
    channels_[c].Enqueue(now, address, bytes, request.write, index);
  });
  work_.notify(sc_core::SC_ZERO_TIME);
}

void ZoomedDram::OnSlot() {
  const Tick now = sc_core::sc_time_stamp().value();
  const Tick next = (now / slot_ + 1) * slot_;
  if (now % slot_ == 0) {
    for (std::size_t c = 0; c < channels_.size(); ++c) {
      DramCycle& channel = channels_[c];
      if (channel.Idle() && watched_[c] == 0) continue;
      channel.Step(now);
      for (const DramCycle::Completed& done : channel.completed()) {
        Pending& pending = pending_[done.tag];
        pending.response.first = std::min(pending.response.first, done.first);
        pending.response.end = std::max(pending.response.end, done.end);
        if (--pending.pieces_left == 0) Answer(done.tag);
      }
      if (waveform_ != nullptr) WriteWaveform(c, now);
    }
  }
  bool busy = false;
  for (std::size_t c = 0; c < channels_.size(); ++c) {
    busy = busy || !channels_[c].Idle() || watched_[c] != 0;
  }
  if (busy) next_trigger(sc_core::sc_time::from_value(next - now));
}

void ZoomedDram::Answer(std::uint32_t index) {
  Pending& pending = pending_[index];
  const Tick back = controller_latency_ - controller_latency_ / 2;
  pending.response.first += back;
  pending.response.end += back;
  const auto answer = [](void* self, std::uint64_t p) {
    auto* dram = static_cast<ZoomedDram*>(self);
    const Pending done = dram->pending_[p];
    dram->free_pending_.push_back(static_cast<std::uint32_t>(p));
    done.client->Respond(done.tag, done.response);
  };
  chip_.PostFromOutside(pending.response.end, answer, this, index);
}

DramCounters ZoomedDram::Counters() const {
  DramCounters sum;
  for (const DramCycle& channel : channels_) sum.Add(channel.counters());
  return sum;
}

void ZoomedDram::AddSignals() {
  for (std::size_t c = 0; c < channels_.size(); ++c) {
    const std::string scope = fmt::format("{}.channel{}.", name(), c);
    Signals signals{waveform_->AddSignal(scope + "data", 1),
                    waveform_->AddSignal(scope + "write", 1),
                    waveform_->AddSignal(scope + "queued_bursts", 32),
                    {}};
    for (std::size_t b = 0; b < channels_[c].banks(); ++b) {
      signals.open_rows.push_back(waveform_->AddSignal(fmt::format("{}open_row_{}", scope, b), 32));
    }
    signals_.push_back(std::move(signals));
  }
}

void ZoomedDram::WriteWaveform(std::size_t c, Tick now) {
  DramCycle& channel = channels_[c];
  const Signals& signals = signals_[c];
  const DramCycle::Bus bus = channel.BusAt(now);
  waveform_->Set(now, signals.data, bus == DramCycle::Bus::kIdle ? 0 : 1);
  waveform_->Set(now, signals.write, bus == DramCycle::Bus::kWrite ? 1 : 0);
  waveform_->Set(now, signals.queued, channel.queued_bursts());
  for (std::size_t b = 0; b < signals.open_rows.size(); ++b) {
    // A closed bank shows all ones.
    waveform_->Set(now, signals.open_rows[b],
                   static_cast<std::uint64_t>(channel.open_row(b)) & 0xffffffffU);
  }
  watched_[c] = !channel.Idle() || !channel.BusIdleFrom(now) ? 1 : 0;
}

}  // namespace siliscope
