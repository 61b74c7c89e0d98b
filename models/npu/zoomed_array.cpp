// SPDX-License-Identifier: Apache-2.0
#include "models/npu/zoomed_array.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/core/error.h"

namespace siliscope {
namespace {

constexpr std::int64_t kMostWatchedElements = 1024;  ///< above, a waveform shows counts only

/// A small integer that stands in for an operand's element; sums of products stay exact in fp32.
float Operand(std::uint32_t seed, std::int64_t row, std::int64_t column) {
  const auto mixed = static_cast<std::uint64_t>(row) * 5 + static_cast<std::uint64_t>(column) * 3 +
                     static_cast<std::uint64_t>(seed) * 11;
  return static_cast<float>(mixed % 7) - 3;
}

}  // namespace

ZoomedArray::ZoomedArray(const sc_core::sc_module_name& name, std::uint32_t index,
                         const SystolicArraySpec& spec, Clock clock, Listener& listener,
                         std::uint16_t priority, Domain& chip, double highest_rate,
                         const ZoomRequest& zoom)
    : SystolicArray(name, spec, clock, listener, priority),
      index_(index),
      chip_(chip),
      zoom_(zoom),
      waveform_(zoom.waveform) {
  const double multipliers = std::max(1.0, std::ceil(highest_rate));
  lanes_.assign(static_cast<std::size_t>(multipliers), SystolicCycle(spec));
  stationary_row_sums_.assign(static_cast<std::size_t>(spec.rows), 0);
  if (waveform_ != nullptr) AddSignals();
  SC_METHOD(OnClock);
  sensitive << work_;
  dont_initialize();
}

void ZoomedArray::OnClock() {
  AdvanceTo(EdgeFrom(sc_core::sc_time_stamp().value()));
  if (!Busy()) return;
  const Tick next = clock_.Cycles(cycle() + 1);
  next_trigger(sc_core::sc_time::from_value(next - sc_core::sc_time_stamp().value()));
}

bool ZoomedArray::Busy() const {
  return !push_.done || !lanes_.front().Still() || (waveform_ != nullptr && !settled_);
}

void ZoomedArray::AdvanceTo(Cycle cycle_wanted) {
  while (cycle() < cycle_wanted) {
    if (Busy()) {
      Step();
    } else {
      const Cycle still = cycle_wanted - cycle();
      for (SystolicCycle& lane : lanes_) lane.Skip(still);
    }
  }
}

void ZoomedArray::Step() {
  push_moves_ = push_.moving && !push_.done;
  const bool still = lanes_.front().Still();
  if (still && settled_) {
    for (SystolicCycle& lane : lanes_) lane.Skip(1);
  } else {
    for (SystolicCycle& lane : lanes_) lane.Step();
    element_cycles_ += static_cast<std::uint64_t>(spec_.rows * spec_.columns) * lanes_.size();
  }
  settled_ = still;
  CheckFinished();
  ProceedWithPush();
  if (waited_for_ && lanes_.front().EntranceFree()) {
    waited_for_ = false;
    Tell({Note::Kind::kEntranceFree, index_, 0, 0, 0});
  }
  if (waveform_ != nullptr) WriteWaveform();
}

void ZoomedArray::Push(Tick now, Tick available, std::uint32_t index, const NpuCommand& command) {
  AdvanceTo(EdgeFrom(now));
  push_ = PendingPush{};
  push_.index = index;
  push_.zoomed = Zoomed(command);
  push_.done = false;
  push_.ready = EdgeFrom(now);
  push_.available = EdgeFrom(available);
  push_.depth = command.depth;
  push_.width = command.width;
  push_.operand_end = TakePush(now, command);
  ProceedWithPush();
  work_.notify(sc_core::SC_ZERO_TIME);
}

void ZoomedArray::ProceedWithPush() {
  if (push_.done) return;
  const Cycle now = cycle();
  if (!push_.begun) {
    const bool others_done = now >= timing_.EarliestPush(push_.ready, push_.available);
    if (!others_done || !lanes_.front().CanPush()) return;
    push_.begun = true;
    push_.start = now;
    if (!push_.zoomed) {
      const auto push = timing_.PushOperand(now, push_.available, push_.operand_end);
      push_.done = true;
      Tell({Note::Kind::kPushed, push_.index, push.start, 0, push.end});
      return;
    }
  }
  // Values shift in without a gap, so they wait for a slow port before the first moves.
  if (!push_.moving && now + SystolicTiming::PushCycles(spec_) >= push_.operand_end) {
    BeginZoomedPush();
  }
  if (push_.moving && lanes_.front().OperandInPlace()) {
    push_.done = true;
    Tell({Note::Kind::kPushed, push_.index, push_.start, 0, now});
  }
}

void ZoomedArray::BeginZoomedPush() {
  push_.moving = true;
  std::vector<float> operand(static_cast<std::size_t>(spec_.rows * spec_.columns), 0);
  std::fill(stationary_row_sums_.begin(), stationary_row_sums_.end(), 0);
  for (std::int64_t r = 0; r < push_.depth; ++r) {
    for (std::int64_t c = 0; c < push_.width; ++c) {
      const float value = Operand(push_.index, r, c);
      operand[static_cast<std::size_t>(r * spec_.columns + c)] = value;
      stationary_row_sums_[static_cast<std::size_t>(r)] += value;
    }
  }
  for (SystolicCycle& lane : lanes_) lane.Push(operand);
}

Tick ZoomedArray::EarliestMatmul(Tick now, const NpuCommand& command) {
  AdvanceTo(EdgeFrom(now));
  const Cycle others_done = timing_.EarliestMatmul(cycle(), command.output_stationary);
  if (others_done > cycle()) return clock_.Cycles(others_done);
  const SystolicCycle& lane = lanes_.front();
  if (Zoomed(command) ? lane.CanStream(command.output_stationary) : lane.EntranceFree()) return now;
  waited_for_ = true;
  return kNever;
}

void ZoomedArray::Matmul(Tick now, std::uint32_t index, const NpuCommand& command) {
  if (!Zoomed(command)) {
    SystolicArray::Matmul(now, index, command);
    ProceedWithPush();
    return;
  }
  const Cycle operand_end = TakeMatmul(now, command);
  const Cycle stream = SystolicTiming::StreamCycles(spec_, command.rows, command.rate);
  const Cycle length = std::max(stream, operand_end > cycle() ? operand_end - cycle() : 0);
  Inside tile{index, cycle(), cycle() + length, {}};
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    tile.row_sums.push_back(StreamLane(lane, static_cast<std::int64_t>(length), index, command));
  }
  inside_.push_back(std::move(tile));
  ProceedWithPush();
  work_.notify(sc_core::SC_ZERO_TIME);
}

std::vector<double> ZoomedArray::StreamLane(std::size_t lane, std::int64_t length,
                                            std::uint32_t index, const NpuCommand& command) {
  const auto lanes = static_cast<std::int64_t>(lanes_.size());
  const auto first = static_cast<std::int64_t>(lane);
  const std::int64_t slots = (command.rows + lanes - 1) / lanes;
  std::vector<float> rows(static_cast<std::size_t>(length * spec_.rows), 0), top;
  std::vector<char> bubbles(static_cast<std::size_t>(length), 1);
  std::vector<double> row_sums(
      static_cast<std::size_t>(command.output_stationary ? spec_.rows : length), 0);
  if (command.output_stationary) top.assign(static_cast<std::size_t>(length * spec_.columns), 0);
  for (std::int64_t i = first; i < command.rows; i += lanes) {
    const std::int64_t at = i / lanes * length / slots;  // evenly, as the ports supply them
    bubbles[static_cast<std::size_t>(at)] = 0;
    double top_sum = 0;
    for (std::int64_t c = 0; command.output_stationary && c < command.width; ++c) {
      const float value = Operand(index + 1, i, c);
      top[static_cast<std::size_t>(at * spec_.columns + c)] = value;
      top_sum += value;
    }
    for (std::int64_t r = 0; r < command.depth; ++r) {
      const float value = Operand(index, i, r);
      rows[static_cast<std::size_t>(at * spec_.rows + r)] = value;
      if (command.output_stationary) {
        row_sums[static_cast<std::size_t>(r)] += value * top_sum;
      } else {
        row_sums[static_cast<std::size_t>(at)] +=
            value * stationary_row_sums_[static_cast<std::size_t>(r)];
      }
    }
  }
  lanes_[lane].Stream(length, std::move(rows), std::move(top), std::move(bubbles));
  return row_sums;
}

void ZoomedArray::CheckFinished() {
  while (auto finished = lanes_.front().TakeFinished()) {
    const Inside tile = std::move(inside_.front());
    inside_.pop_front();
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
      if (lane > 0) finished = lanes_[lane].TakeFinished();
      const std::vector<double>& expected = tile.row_sums[lane];
      for (std::size_t row = 0; row < expected.size(); ++row) {
        double sum = 0;
        const auto columns = static_cast<std::size_t>(spec_.columns);
        for (std::size_t c = 0; c < columns; ++c) sum += finished->result[row * columns + c];
        if (sum != expected[row]) {
          throw InternalError(fmt::format(
              "{}: row {} of the result of command {} is not the product of its operands", name(),
              row, tile.index));
        }
      }
    }
    ++tiles_checked_;
    Tell({Note::Kind::kStreamed, tile.index, tile.start, tile.stream_end, finished->complete});
  }
}

void ZoomedArray::Tell(const Note& note) {
  notes_.push_back(note);
  const auto deliver = [](void* self, std::uint64_t) {
    static_cast<ZoomedArray*>(self)->Deliver();
  };
  chip_.PostFromOutside(clock_.Cycles(cycle()), deliver, this, 0, priority_);
}

void ZoomedArray::Deliver() {
  const Note note = notes_.front();
  notes_.pop_front();
  switch (note.kind) {
    case Note::Kind::kPushed:
      listener_.Pushed(note.index, clock_.Cycles(note.start), clock_.Cycles(note.end));
      break;
    case Note::Kind::kStreamed:
      listener_.Streamed(note.index, clock_.Cycles(note.start), clock_.Cycles(note.stream_end),
                         clock_.Cycles(note.end));
      break;
    case Note::Kind::kEntranceFree:
      listener_.EntranceFree(note.index);
      break;
  }
}

void ZoomedArray::AddSignals() {
  const std::string scope = std::string(name()) + ".";
  signals_.push = waveform_->AddSignal(scope + "push", 1);
  signals_.stream = waveform_->AddSignal(scope + "stream", 1);
  signals_.active = waveform_->AddSignal(scope + "active_elements", 32);
  if (spec_.rows * spec_.columns > kMostWatchedElements) return;
  for (std::int64_t r = 0; r < spec_.rows; ++r) {
    for (std::int64_t c = 0; c < spec_.columns; ++c) {
      signals_.elements.push_back(
          waveform_->AddSignal(fmt::format("{}active_{}_{}", scope, r, c), 1));
      signals_.sums.push_back(waveform_->AddReal(fmt::format("{}sum_{}_{}", scope, r, c)));
    }
  }
}

void ZoomedArray::WriteWaveform() {
  const Tick now = clock_.Cycles(cycle());
  const SystolicCycle& lane = lanes_.front();
  waveform_->Set(now, signals_.push, push_moves_ ? 1 : 0);
  waveform_->Set(now, signals_.stream, lane.Active(0, 0) ? 1 : 0);
  waveform_->Set(now, signals_.active, static_cast<std::uint64_t>(lane.ActiveCount()));
  for (std::size_t i = 0; i < signals_.elements.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const std::int64_t row = at / spec_.columns, column = at % spec_.columns;
    waveform_->Set(now, signals_.elements[i], lane.Active(row, column) ? 1 : 0);
    waveform_->SetReal(now, signals_.sums[i], lane.Sum(row, column));
  }
}

}  // namespace siliscope
