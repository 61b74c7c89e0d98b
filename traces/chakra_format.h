// SPDX-License-Identifier: Apache-2.0
// What Chakra's numbers mean, for reading and writing.
#pragma once

#include <array>
#include <string>

namespace siliscope {

/// Collectives by the format's number (CollectiveCommType); "" = we have none.
inline constexpr std::array<const char*, 10> kChakraCollectives = {
    "all_reduce", "reduce",         "all_gather",     "",       "", "broadcast",
    "all_to_all", "reduce_scatter", "reduce_scatter", "barrier"};

/// Exact durations beside the format's whole microseconds.
inline constexpr const char* kChakraPicoseconds = "duration_ps";

/// A host's call before an exchange begins.
inline constexpr const char* kChakraDelay = "delay_ps";

/// Ranks of each process group, by its name: {"1": [0, 1]}; beside the traces.
inline std::string ChakraGroupsFile(const std::string& prefix) { return prefix + ".groups.json"; }

}  // namespace siliscope
