// SPDX-License-Identifier: Apache-2.0
// Stream-K: CTAs share the steps of all tiles evenly, so that there is no partial wave; tiles that
// several of them have worked on are put together by the one that had the first step.
// Source: Osama et al., "Stream-K: Work-centric Parallel Decomposition for Dense Matrix-Matrix
// Multiplication on the GPU", PPoPP 2023, section 4.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "models/gpu/cta_geometry.h"

namespace siliscope {

class StreamK {
 public:
  /// Passes of such a kernel; the first is the product.
  static constexpr std::size_t kStoreSums = 1, kAddSums = 2, kResults = 3;

  /// `tiles`: of the kernel's grid.
  StreamK(const GpuKernel& kernel, std::int64_t tiles)
      : kernel_(kernel),
        tiles_(tiles),
        steps_(kernel.passes.empty() ? 1 : kernel.passes.front().steps),
        ctas_(std::min(kernel.stream_k_ctas, tiles * steps_)) {}

  /// Whether the kernel is one.
  bool any() const { return ctas_ > 0; }
  std::int64_t ctas() const { return ctas_; }
  /// Of the tiles that the CTA that starts as the `number`-th works on.
  std::int64_t FirstTileOf(std::int64_t number) const { return FirstStepOf(number) / steps_; }
  /// The steps of a tile that are a CTA's.
  StepRange ShareOf(std::int64_t number, std::int64_t tile) const {
    const std::int64_t first = std::max<std::int64_t>(0, FirstStepOf(number) - tile * steps_);
    const std::int64_t last = std::min(steps_, FirstStepOf(number + 1) - tile * steps_);
    return {first, std::max<std::int64_t>(0, last - first)};
  }
  /// The same as a part of the tile.
  double PartOf(std::int64_t number, std::int64_t tile) const {
    return static_cast<double>(ShareOf(number, tile).count) / static_cast<double>(steps_);
  }
  /// The CTA that has the tile's first step, and puts it together.
  std::int64_t OwnerOf(std::int64_t tile) const { return CtaOf(tile * steps_); }
  /// CTAs whose sums of a tile its owner adds.
  std::int64_t Helpers(std::int64_t tile) const {
    return CtaOf((tile + 1) * steps_ - 1) - OwnerOf(tile);
  }
  /// Steps of a pass over a CTA's share of a tile.
  StepRange RangeOf(std::int64_t number, std::int64_t tile, std::size_t pass) const {
    const StepRange share = ShareOf(number, tile);
    const std::int64_t steps = kernel_.passes[pass].steps;
    const bool owns = share.first == 0;
    switch (pass) {
      case kStoreSums:
        return {0, owns ? 0 : steps};
      case kAddSums:
        return {0, owns ? steps * Helpers(tile) : 0};
      case kResults:
        return {0, owns ? steps : 0};
      default:
        return share;
    }
  }
  /// Whose sums a pass begins with in the workspace: others' follow the owner's.
  static std::int64_t SlotOf(std::int64_t number, std::size_t pass) {
    return pass == kAddSums ? number + 1 : number;
  }

 private:
  /// Of all tiles' steps, the first of a CTA.
  std::int64_t FirstStepOf(std::int64_t number) const { return number * tiles_ * steps_ / ctas_; }
  /// Who has a step.
  std::int64_t CtaOf(std::int64_t step) const {
    std::int64_t number = step * ctas_ / (tiles_ * steps_);
    while (FirstStepOf(number + 1) <= step) ++number;
    while (FirstStepOf(number) > step) --number;
    return number;
  }

  const GpuKernel& kernel_;
  std::int64_t tiles_, steps_, ctas_;
};

/// How CTAs at cycle zoom learn of each other's sums. A CTA is named by its cluster's number, a
/// tile by its place among the CTA's.
class SumsPort {
 public:
  virtual ~SumsPort() = default;
  /// All warps of a CTA have stored their sums.
  virtual void SumsStored(std::uint32_t cta, std::uint32_t tile, std::uint64_t cycle) = 0;
  /// Whether the sums of all helpers are there; else the CTA will be told.
  virtual bool SumsAreThere(std::uint32_t cta, std::uint32_t tile) const = 0;
};

}  // namespace siliscope
