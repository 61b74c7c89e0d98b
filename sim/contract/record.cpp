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
std::string_view CauseMeaning(Cause cause) {
  return kTexts[static_cast<std::size_t>(cause)].meaning;
}

}  // namespace siliscope
