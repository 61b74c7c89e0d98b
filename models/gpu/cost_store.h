// SPDX-License-Identifier: Apache-2.0
// Measured costs of CTAs, remembered by everything that they depend on: in memory, and on disk for
// the next run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "models/gpu/cta_cost.h"

namespace siliscope {

/// The cost of a CTA of `kernel` among `co_resident` on an SM of `gpu`; measured where neither
/// this process nor the user's store has it.
const CtaCost& RememberedCost(const GpuSpec& gpu, const GpuKernel& kernel,
                              std::int64_t co_resident);

/// A cost as text that reads back exactly; nothing where the text is no cost.
std::string WriteCtaCost(const CtaCost& cost);
std::optional<CtaCost> ReadCtaCost(const std::string& text);

}  // namespace siliscope
