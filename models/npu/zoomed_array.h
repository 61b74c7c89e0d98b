// SPDX-License-Identifier: Apache-2.0
// A systolic array at cycle zoom inside of a running chip: one SystemC process that steps every
// processing element every cycle while it has work. Programs carry no values, so small integers
// stand in for the operands, and each tile's result is checked against their product.
//
// It may be zoomed for the commands of some operators only: the others go by the tile zoom, and
// each waits for what is left of the other kind before it.
#pragma once

#include <deque>
#include <vector>

#include "models/npu/systolic_array.h"
#include "models/npu/systolic_cycle.h"
#include "sim/contract/system_model.h"
#include "sim/core/domain.h"

namespace siliscope {

class ZoomedArray : public SystolicArray {
 public:
  SC_HAS_PROCESS(ZoomedArray);
  /// `highest_rate`: of the data types that will come, relative to one multiply-accumulate an
  /// element and cycle.
  ZoomedArray(const sc_core::sc_module_name& name, std::uint32_t index,
              const SystolicArraySpec& spec, Clock clock, Listener& listener,
              std::uint16_t priority, Domain& chip, double highest_rate, const ZoomRequest& zoom);

  void Push(Tick now, Tick available, std::uint32_t index, const NpuCommand& command) override;
  Tick EarliestMatmul(Tick now, const NpuCommand& command) override;
  void Matmul(Tick now, std::uint32_t index, const NpuCommand& command) override;

  /// Tiles whose result was compared with the product of their operands.
  std::uint64_t tiles_checked() const { return tiles_checked_; }
  /// Processing-element cycles stepped.
  std::uint64_t element_cycles() const { return element_cycles_; }

 private:
  /// A push that was taken and has not ended.
  struct PendingPush {
    std::uint32_t index = 0;
    bool zoomed = false, begun = false, moving = false, done = true;
    Cycle ready = 0, available = 0, operand_end = 0, start = 0;
    std::int64_t depth = 0, width = 0;
  };
  /// A tile inside of the array, with what the sums of its result's rows must be, for each lane.
  struct Inside {
    std::uint32_t index = 0;
    Cycle start = 0, stream_end = 0;
    std::vector<std::vector<double>> row_sums;
  };
  /// What the core is to be told, from its own process.
  struct Note {
    enum class Kind { kPushed, kStreamed, kEntranceFree } kind;
    std::uint32_t index;
    Cycle start, stream_end, end;
  };

  bool Zoomed(const NpuCommand& command) const {
    return zoom_.operators.empty() || zoom_.operators[command.op] != 0;
  }
  Cycle cycle() const { return lanes_.front().cycle(); }

  void OnClock();
  /// Steps to the beginning of a cycle.
  void AdvanceTo(Cycle cycle);
  void Step();
  void ProceedWithPush();
  void CheckFinished();
  void Tell(const Note& note);
  void Deliver();
  bool Busy() const;
  void BeginZoomedPush();
  std::vector<double> StreamLane(std::size_t lane, std::int64_t length, std::uint32_t index,
                                 const NpuCommand& command);
  void AddSignals();
  void WriteWaveform();

  std::uint32_t index_;
  Domain& chip_;
  ZoomRequest zoom_;
  Waveform* waveform_;
  std::vector<SystolicCycle> lanes_;  ///< multipliers of an element, each with rows of its own
  PendingPush push_;
  std::vector<double> stationary_row_sums_;  ///< of the operand pushed last
  std::deque<Inside> inside_;
  std::deque<Note> notes_;
  bool waited_for_ = false;  ///< a tile was told kNever
  bool push_moves_ = false;  ///< in the cycle stepped last
  bool settled_ = true;      ///< the last step changed nothing
  sc_core::sc_event work_;
  std::uint64_t tiles_checked_ = 0, element_cycles_ = 0;
  struct Signals {
    std::uint32_t push = 0, stream = 0, active = 0;
    std::vector<std::uint32_t> elements, sums;
  } signals_;
};

}  // namespace siliscope
