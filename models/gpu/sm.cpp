// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/sm.h"

#include <algorithm>

namespace siliscope {

Sm::Sm(const sc_core::sc_module_name& name, const SmSpec& spec, std::size_t partition,
       std::uint32_t index, Timeline& gpc, double gpc_bytes_per_cycle, ChipTlb& tlb,
       EventQueue& events, bool keep_spans)
    : sc_core::sc_module(name),
      spec_(spec),
      partition_(partition),
      index_(index),
      gpc_(gpc),
      gpc_bytes_per_cycle_(gpc_bytes_per_cycle),
      keep_spans_(keep_spans),
      tlb_(spec.tlb, tlb),
      oldest_first_(spec.scheduler == WarpScheduler::kGreedyThenOldest),
      events_(events) {}

L2Response Sm::Load(Tick asked, Tick when, std::uint32_t launch, std::uint32_t index,
                    const GpuTensor& tensor, const Rectangle& rectangle) {
  if (rectangle.rows <= 0) {
    L2Response nothing;
    nothing.asked = asked;
    nothing.first = nothing.end = nothing.first_data = nothing.mean_data = when;
    return nothing;
  }
  // The pages that its rows lie in; the load waits for the last.
  const std::int64_t page = spec_.tlb.page_bytes;
  const std::int64_t first = tensor.address + rectangle.row * LineRowBytes(tensor) + rectangle.byte;
  const std::int64_t last =
      first + (rectangle.rows - 1) * LineRowBytes(tensor) + rectangle.bytes - 1;
  Tick known = when;
  const std::int64_t stride = std::max(page, LineRowBytes(tensor));
  for (std::int64_t at = first; at / page < last / page; at += stride) {
    known = std::max(known, tlb_.Translate(when, at));
  }
  known = std::max(known, tlb_.Translate(when, last));
  L2Response response = l2->Access({asked, known, launch, index, rectangle, partition_, false});
  if (gpc_bytes_per_cycle_ > 0) {
    const Tick duration =
        clock_.Cycles(static_cast<double>(Sectors(rectangle)) / gpc_bytes_per_cycle_);
    const Tick start = gpc_.ReserveTurn(asked, response.first, duration);
    response.first = start;
    if (start + duration > response.end) {
      response.queued += start + duration - response.end;
      response.end = start + duration;
      response.mean_data = std::max(response.mean_data, start + duration / 2);
    }
  }
  return Receive(response, rectangle);
}

L2Response Sm::Receive(const L2Response& fetched, const Rectangle& rectangle) {
  if (rectangle.rows <= 0) return fetched;
  const std::int64_t bytes = Sectors(rectangle);
  loaded_bytes_ += bytes;
  L2Response response = fetched;
  const Tick duration = clock_.Cycles(static_cast<double>(bytes) /
                                      static_cast<double>(spec_.l1.fill_bytes_per_cycle));
  const Tick start = fill_.ReserveTurn(fetched.asked, fetched.first, duration);
  const Tick passed = start + duration;
  if (passed > response.end) {
    response.queued += passed - response.end;
    response.end = passed;
    response.mean_data = std::max(response.mean_data, start + duration / 2);
  }
  return response;
}

Tick Sm::LoadFrom(Sm& peer, Tick now, std::int64_t bytes) {
  const Tick half = clock_.Cycles(static_cast<std::uint64_t>(spec_.peer_latency_cycles / 2));
  const auto crossing = [&](std::int64_t width) {
    return clock_.Cycles(static_cast<double>(bytes) / static_cast<double>(width));
  };
  const Tick out = crossing(spec_.l1.store_bytes_per_cycle);
  const Tick sent = peer.drain_.ReserveTurn(now, now + half, out) + out;
  const Tick in = crossing(spec_.l1.fill_bytes_per_cycle);
  const Tick start = fill_.ReserveTurn(now, now + half, in);
  loaded_bytes_ += bytes;
  return std::max(sent, start + in) + half;
}

Tick Sm::Store(Tick asked, Tick when, std::uint32_t launch, std::uint32_t tensor,
               const Rectangle& rectangle) {
  if (rectangle.rows <= 0) return when;
  const Tick duration = clock_.Cycles(static_cast<double>(Sectors(rectangle)) /
                                      static_cast<double>(spec_.l1.store_bytes_per_cycle));
  const Tick sent = drain_.ReserveTurn(asked, when, duration) + duration;
  return l2->Access({asked, sent, launch, tensor, rectangle, partition_, true}).end;
}

Tick Sm::Atomic(Tick asked, Tick when, std::uint32_t launch, std::uint32_t tensor,
                const Rectangle& rectangle, std::int64_t on_one_address) {
  if (rectangle.rows <= 0) return when;
  const Tick duration = clock_.Cycles(static_cast<double>(Sectors(rectangle)) /
                                      static_cast<double>(spec_.l1.store_bytes_per_cycle));
  const Tick sent = drain_.ReserveTurn(asked, when, duration) + duration;
  L2Request request{asked, sent, launch, tensor, rectangle, partition_, true};
  request.atomics_on_one_address = on_one_address;
  return l2->Access(request).end;
}

void Sm::Charge(Tick until, Cause cause, std::uint32_t op, bool busy) {
  if (until <= accounted_) return;
  const Tick span = until - accounted_;
  times_[static_cast<std::size_t>(cause)] += span;
  if (op != kNone) (*operators_)[op].times[static_cast<std::size_t>(cause)] += span;
  if (keep_spans_) {
    const Tick begin = accounted_ - origin_ + skipped_, end = until - origin_ + skipped_;
    if (!spans_.empty() && spans_.back().end == begin && spans_.back().cause == cause &&
        spans_.back().op == op) {
      spans_.back().end = end;
    } else {
      spans_.push_back({begin, end, index_, op, kNone, cause, busy});
    }
  }
  accounted_ = until;
}

void Sm::Take(const Step& step) {
  if (step.shares && oldest_first_) {
    Share(step);
    return;
  }
  if (waiting_.empty() && pipe_free_ <= events_.now()) {
    Serve(step);
    return;
  }
  constexpr std::uint16_t kAfterOthers = 1;  // that become ready in the same moment
  if (waiting_.empty()) events_.Schedule(pipe_free_, &CallServeNext, this, 0, kAfterOthers);
  waiting_.push_back(step);
}

void Sm::ServeNext() {
  std::size_t next = 0;
  for (std::size_t i = 1; oldest_first_ && i < waiting_.size(); ++i) {
    if (waiting_[i].age < waiting_[next].age) next = i;
  }
  const Step step = waiting_[next];
  waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(next));
  Serve(step);
  if (!waiting_.empty()) events_.Schedule(pipe_free_, &CallServeNext, this, 0, 1);
}

void Sm::Share(const Step& step) {
  Account(step, std::max(events_.now(), pipe_free_));
  std::uint32_t id = 0;
  while (id < sharing_.size() && sharing_[id].taken != nullptr) ++id;
  if (id == sharing_.size()) sharing_.emplace_back();
  sharing_[id] = step;
  const double period = 1e12 / clock_.hertz();
  share_.Add(events_.now(), step.alone_cycles * period, step.interval_cycles * period,
             step.precedence, step.age, id);
  AwaitEnd();
}

void Sm::AwaitEnd() {
  const Tick end = share_.NextEnd();
  if (end >= next_end_) return;  // it looks again then
  next_end_ = end;
  events_.Schedule(end, &CallEndShares, this, 0);
}

void Sm::EndShares() {
  if (events_.now() != next_end_) return;  // an earlier end has come in between
  next_end_ = kNever;
  std::uint32_t id = 0;
  while (share_.TakeEnded(events_.now(), &id)) {
    const Step step = sharing_[id];
    sharing_[id].taken = nullptr;
    step.taken(step.context, step.argument, events_.now());
  }
  AwaitEnd();
}

void Sm::Serve(const Step& step) {
  const Tick start = events_.now();
  Account(step, start);
  step.taken(step.context, step.argument, start + clock_.Cycles(step.alone_cycles));
}

/// The pipes' time for a step is charged as if they took one after another.
void Sm::Account(const Step& step, Tick start) {
  const Wait& wait = step.wait;
  if (start > accounted_) {
    Charge(std::min(start, wait.since), wait.before, step.op, false);
    const Tick waited = start > accounted_ ? start - accounted_ : 0;
    Charge(accounted_ + static_cast<Tick>(wait.bandwidth_share * static_cast<double>(waited)),
           Cause::kMemoryBandwidth, step.op, false);
    Charge(start, wait.cause, step.op, false);
  }
  pipe_free_ = start + clock_.Cycles(step.interval_cycles);
  Charge(pipe_free_, Cause::kCompute, step.op, true);
  ++steps_;
}

void Sm::BeginWindow() { window_ = {times_, loaded_bytes_, steps_, flops_}; }

void Sm::SkipWindows(std::int64_t windows, Tick length, double flops, std::uint32_t op) {
  const Tick skipped = static_cast<Tick>(windows) * length;
  Tick sum = 0, given = 0;
  std::size_t largest = 0;
  CauseTimes since{};
  for (std::size_t c = 0; c < kCauses; ++c) {
    since[c] = times_[c] - window_.times[c];
    sum += since[c];
    if (since[c] > since[largest]) largest = c;
  }
  CauseTimes more{};
  for (std::size_t c = 0; c < kCauses && sum > 0; ++c) {
    more[c] = static_cast<Tick>(static_cast<double>(skipped) * static_cast<double>(since[c]) /
                                static_cast<double>(sum));
    given += more[c];
  }
  if (sum == 0) largest = static_cast<std::size_t>(Cause::kQuantisation);  // it has no CTA
  more[largest] += skipped - std::min(given, skipped);
  for (std::size_t c = 0; c < kCauses; ++c) {
    times_[c] += more[c];
    if (op != kNone) (*operators_)[op].times[c] += more[c];
  }
  loaded_bytes_ += windows * (loaded_bytes_ - window_.loaded_bytes);
  steps_ += static_cast<std::uint64_t>(windows) * (steps_ - window_.steps);
  flops_ += static_cast<double>(windows) * flops;
  if (keep_spans_) {
    const Tick begin = accounted_ - origin_ + skipped_;
    spans_.push_back({begin, begin + skipped, index_, op, kNone, static_cast<Cause>(largest),
                      static_cast<Cause>(largest) == Cause::kCompute});
  }
  skipped_ += skipped;
}

void Sm::Idle(Tick until, Cause cause, std::uint32_t op) { Charge(until, cause, op, false); }

void Sm::Reset(Tick now, std::vector<OperatorRecord>* operators) {
  origin_ = accounted_ = now;
  times_ = {};
  operators_ = operators;
  spans_.clear();
  skipped_ = 0;
  window_ = {};
  loaded_bytes_ = 0;
  steps_ = 0;
  flops_ = 0;
}

}  // namespace siliscope
