// SPDX-License-Identifier: Apache-2.0
// What happened in a simulation: who was busy when, and what every idle cycle was waiting for.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/contract/cpu_spec.h"
#include "sim/contract/gpu_program.h"
#include "sim/core/time.h"

namespace siliscope {

/// Why a unit spent time. A unit is in one state at any time; its times sum to the whole.
enum class Cause : std::uint8_t {
  kCompute,
  kMemoryBandwidth,
  kMemoryLatency,
  kOperand,
  kDependency,
  kFillDrain,
  kQuantisation,
  kSynchronisation,
  kLaunch,
  kCommunication,
  kIdle,
};
inline constexpr std::size_t kCauses = 11;

/// "compute", "memory_bandwidth", ... as in column names.
std::string_view CauseName(Cause cause);
/// As texts and figures say it: "tile edges", "waiting for memory bandwidth", ...
/// `kind` is the kind of chip.
std::string_view CauseWords(Cause cause, std::string_view kind = "npu");
/// One line of what the cause means, for `siliscope explain`.
std::string_view CauseMeaning(Cause cause, std::string_view kind = "npu");

using CauseTimes = std::array<Tick, kCauses>;

/// A stretch of one unit's time. Spans of a unit do not overlap.
struct Span {
  Tick begin = 0;
  Tick end = 0;
  std::uint32_t unit = 0;
  std::uint32_t op = 0;       ///< index into Program::operators, or kNone
  std::uint32_t command = 0;  ///< index into the program's commands, or kNone
  Cause cause = Cause::kIdle;
  bool busy = false;
};

struct UnitRecord {
  std::string name;  ///< hierarchical: "core0.array1"
  std::string kind;  ///< "systolic_array", "vector_unit", "dma", ...
  CauseTimes times{};
  std::uint64_t commands = 0;
  double flops = 0;             ///< 2 x multiply-accumulates that counted
  double peak_flops_per_s = 0;  ///< in the data type that ran
  std::uint32_t sharers = 1;    ///< units that have this peak together: threads of a core
  std::int64_t bytes = 0;       ///< moved by the unit

  /// Whether a chip's time is told by units of this kind.
  bool critical() const { return kind == "systolic_array" || kind == "sm" || kind == "core"; }
};

/// Bytes through one level of the memory hierarchy.
struct LevelRecord {
  std::string name;  ///< "dram", "shared_memory", "scratchpad", "host_link"
  std::int64_t read_bytes = 0;
  std::int64_t write_bytes = 0;
  double peak_bytes_per_s = 0;  ///< 0 = without limit; of one direction where it is duplex
  Tick busy = 0;                ///< data moving, summed over channels
  std::uint64_t channels = 1;
  std::uint64_t row_hits = 0;
  std::uint64_t row_misses = 0;
  Tick refresh = 0;
  bool duplex = false;  ///< both directions move at the same time, each at the peak

  /// Of the busier direction where it is duplex, else all.
  std::int64_t LimitingBytes() const {
    return duplex ? std::max(read_bytes, write_bytes) : read_bytes + write_bytes;
  }
};

struct OperatorRecord {
  Tick begin = kNever;  ///< first command starts
  Tick end = 0;         ///< last command completes
  Tick active = 0;      ///< time in which at least one of its commands runs
  Tick exclusive = 0;   ///< time that passed on the critical unit while it was this operator's turn
  CauseTimes times{};   ///< of the critical unit kind, summed over its units
  std::int64_t dram_read_bytes = 0;
  std::int64_t dram_write_bytes = 0;
  std::int64_t shared_bytes = 0;
  std::int64_t host_bytes = 0;
  std::int64_t shared_read_bytes = 0, host_read_bytes = 0;  ///< the inward part
  std::int64_t scratchpad_bytes = 0;
  std::int64_t l2_bytes = 0;
  double executed_flops = 0;
  double pipe_operations = 0;  ///< of kernels that multiply no matrices, in single precision
};

/// When a command ran, for traces and attribution.
struct CommandTimes {
  Tick ready = 0;        ///< all dependencies complete and issued
  Tick start = 0;        ///< unit begins
  Tick first = 0;        ///< transfers: first data
  Tick end = 0;          ///< complete
  float port_share = 0;  ///< copies and vector work: part that was waiting for scratchpad ports
};

/// Bytes of one level in one slice of time, for counter tracks.
struct CounterSample {
  Tick begin = 0;
  double bytes = 0;
};

/// One launch of a GPU kernel.
struct KernelRecord {
  std::uint32_t launch = 0;  ///< index into the program's launches
  Tick queued = 0;           ///< its predecessors have ended
  Tick start = 0, end = 0;
  std::int64_t ctas = 0;
  std::int64_t ctas_per_sm = 0;  ///< that fit
  std::string limiter;           ///< of the CTAs of an SM
  double occupancy_pct = 0;      ///< resident warps of those an SM can hold
  double waves = 0;              ///< CTAs / CTAs that are resident at a time
  std::int64_t steps = 0;        ///< of a CTA, of all its passes
  double register_bytes_per_mac = 0, shared_bytes_per_mac = 0;
  double pipe_flops = 0;  ///< padding included; an instruction that multiplies nothing is two
  std::int64_t l2_read_bytes = 0, l2_write_bytes = 0, l2_miss_bytes = 0;  ///< misses: of the reads
  std::int64_t dram_bytes = 0;  ///< write-backs count for the kernel whose lines take their place
  double active_lanes = 0;      ///< of 32, on average of the warp instructions that were issued
  /// Where the issue slots of an SM went while the kernel's CTAs computed, at cycle zoom; sums
  /// to 1. Names beside them.
  std::vector<double> issue_slots;
};

/// A thread block (of a persistent kernel: all tiles that it walked) on its SM.
struct CtaRecord {
  std::uint32_t launch = 0, sm = 0;
  std::uint32_t lane = 0;            ///< among the CTAs that the SM holds at a time
  std::int64_t row = 0, column = 0;  ///< of its tile in the grid
  Tick begin = 0, end = 0;
};

/// An instruction that a warp of an SM at cycle zoom has issued.
struct IssueRecord {
  std::uint32_t launch = 0, sm = 0;
  std::uint32_t warp = 0, subcore = 0;  ///< place of the warp in the SM
  WarpOpcode op = WarpOpcode::kExit;
  const char* pipe = "";
  std::uint32_t pipe_number = 0;
  Tick begin = 0;
  Tick issued = 0;     ///< the warp may issue another
  Tick pipe_free = 0;  ///< its pipe takes another
};

/// A micro-operation of a CPU's core.
struct MicroOpRecord {
  MicroOpClass op = MicroOpClass::kInteger;
  std::uint32_t core = 0;
  bool missed = false;  ///< a load that the first cache did not have
  Tick entered = 0;     ///< came into the window
  Tick issued = 0;      ///< left for its port
  Tick done = 0;        ///< its result is there; a store's data is in the cache
  Tick retired = 0;
};

/// What a unit at cycle zoom did.
struct ZoomRecord {
  std::string unit;
  std::uint64_t stepped = 0;
  const char* steps = "";     ///< what was stepped: "element cycles", "command slots", ...
  std::uint64_t checked = 0;  ///< results compared with the product of their operands
  const char* check = "";     ///< what they are, and how they compare
};

struct Record {
  Tick total = 0;
  double clock_hz = 0;
  double average_power_w = 0;  ///< 0 = of this kind of chip not modelled
  std::vector<UnitRecord> units;
  std::vector<LevelRecord> levels;
  std::vector<OperatorRecord> operators;
  std::vector<CommandTimes> commands;
  std::vector<std::uint32_t> command_unit;
  std::vector<Span> spans;
  Tick sample_length = 0;
  std::vector<std::vector<CounterSample>> level_samples;  ///< beside `levels`
  std::uint64_t events = 0;  ///< tile events and memory bursts that were simulated
  std::uint32_t critical_kind_units = 0;
  std::vector<KernelRecord> kernels;
  std::vector<std::string> issue_slot_names;
  std::vector<CtaRecord> ctas;           ///< where spans are kept: of the first launches, so many
  std::vector<IssueRecord> issues;       ///< where spans are kept: of the first SM, so many
  std::vector<MicroOpRecord> micro_ops;  ///< where spans are kept: the first of the first core
  std::vector<ZoomRecord> zooms;
  std::vector<char> command_zoomed;  ///< 1 = ran at cycle zoom; empty where nothing was zoomed
};

}  // namespace siliscope
