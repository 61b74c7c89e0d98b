// SPDX-License-Identifier: Apache-2.0
#include "sim/contract/record.h"

namespace siliscope {
namespace {

struct CauseText {
  std::string_view name;
  std::string_view words;
  std::string_view meaning;
};

constexpr std::array<CauseText, kCauses> kTexts = {{
    {"compute", "array active", "the unit does work that counts"},
    {"memory_bandwidth", "waiting for memory bandwidth",
     "waiting for data that is on its way through a busy memory"},
    {"memory_latency", "waiting for memory latency", "waiting for the first data of a transfer"},
    {"operand", "waiting for scratchpad ports",
     "slowed down or stopped by the ports of a scratchpad"},
    {"dependency", "waiting for another unit",
     "waiting for a result of another unit, such as the vector unit"},
    {"fill_drain", "fill, drain and weight push",
     "operands enter or results leave the array, weights are pushed into it"},
    {"quantisation", "tile edges", "processing elements without work at the edge of a tile"},
    {"synchronisation", "synchronisation",
     "the fixed time between dependent operators, and scalar issue"},
    {"launch", "launch", "the fixed time before a program starts"},
    {"communication", "waiting for the host link", "waiting for the host link or for another chip"},
    {"idle", "idle", "no work is left, or none was given to this unit"},
}};

}  // namespace

std::string_view CauseName(Cause cause) { return kTexts[static_cast<std::size_t>(cause)].name; }
std::string_view CauseWords(Cause cause, std::string_view kind) {
  if (kind == "gpu") {
    switch (cause) {
      case Cause::kCompute:
        return "SMs computing";
      case Cause::kDependency:
        return "latency inside of a step";
      case Cause::kFillDrain:
        return "CTA set-up and drain";
      case Cause::kQuantisation:
        return "partial waves";
      default:
        break;
    }
  }
  if (kind == "cpu") {
    switch (cause) {
      case Cause::kCompute:
        return "retiring";
      case Cause::kOperand:
        return "front end";
      case Cause::kFillDrain:
        return "bad speculation";
      case Cause::kMemoryLatency:
        return "back end, waiting for memory";
      case Cause::kDependency:
        return "back end, ports and results";
      case Cause::kQuantisation:
        return "cores without work";
      case Cause::kSynchronisation:
        return "waiting for other threads";
      case Cause::kLaunch:
        return "entering the library";
      default:
        break;
    }
  }
  return kTexts[static_cast<std::size_t>(cause)].words;
}
std::string_view CauseMeaning(Cause cause, std::string_view kind) {
  if (kind == "gpu") {
    switch (cause) {
      case Cause::kCompute:
        return "instructions of resident CTAs run";
      case Cause::kDependency:
        return "a step waits for the results of its own instructions";
      case Cause::kFillDrain:
        return "CTAs begin, and write their results out";
      case Cause::kQuantisation:
        return "SMs have no CTA left in the last wave";
      default:
        break;
    }
  }
  if (kind == "cpu") {
    switch (cause) {
      case Cause::kCompute:
        return "slots of the window that micro-operations took which retired (top-down analysis: "
               "Yasin, ISPASS 2014)";
      case Cause::kOperand:
        return "slots that stayed empty because nothing was fetched";
      case Cause::kFillDrain:
        return "slots after a branch that went the other way than foreseen";
      case Cause::kMemoryLatency:
        return "slots in which the window was full of what waited for data from beyond the first "
               "cache";
      case Cause::kDependency:
        return "slots in which the window was full of what waited for ports or results";
      case Cause::kQuantisation:
        return "cores that had no thread of the operator";
      case Cause::kSynchronisation:
        return "threads that wait to be woken, or have ended and wait for the others";
      case Cause::kLaunch:
        return "a library is entered before an operator's threads begin";
      default:
        break;
    }
  }
  return kTexts[static_cast<std::size_t>(cause)].meaning;
}

}  // namespace siliscope
