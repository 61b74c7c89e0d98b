// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/npu/gemm_mapping.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace siliscope {
namespace {

std::int64_t CeilDivide(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Sizes of a block along one dimension: the whole, then halves in steps of the array's extent.
std::vector<std::int64_t> BlockSizes(std::int64_t extent, std::int64_t step) {
  std::vector<std::int64_t> sizes;
  for (std::int64_t parts = 1;; parts *= 2) {
    const std::int64_t size = std::min(extent, CeilDivide(CeilDivide(extent, parts), step) * step);
    if (sizes.empty() || sizes.back() != size) sizes.push_back(size);
    if (size <= step || parts > extent) return sizes;
  }
}

class Search {
 public:
  Search(const GemmExtents& work, const MachineSpec& machine, const TileCost& cost,
         std::int64_t free_streamed, std::int64_t free_stationary)
      : work_(work),
        machine_(machine),
        cost_(cost),
        free_streamed_(free_streamed),
        free_stationary_(free_stationary),
        fifo_(machine.npu.weight_fifo_tiles > 0) {}

  GemmMapping Run() {
    GemmMapping base;
    base.tile_rows = TileRows();
    const double fraction = machine_.npu.mapping.resident_fraction;
    const auto streamed_limit =
        static_cast<std::int64_t>(fraction * static_cast<double>(StreamedPad().size_bytes));
    const auto stationary_limit =
        static_cast<std::int64_t>(fraction * static_cast<double>(StationaryPad().size_bytes));
    base.stationary_resident =
        fifo_ || work_.stationary_on_chip ||
        (work_.stationary_bytes <= stationary_limit && work_.stationary_bytes <= free_stationary_);
    std::int64_t left = free_streamed_;
    if (Unified() && base.stationary_resident && !fifo_ && !work_.stationary_on_chip) {
      left -= work_.stationary_bytes;
    }
    base.streamed_resident = work_.streamed_on_chip || (work_.streamed_bytes <= streamed_limit &&
                                                        work_.streamed_bytes <= left);
    if (Unified() && base.streamed_resident && !work_.streamed_on_chip) {
      left -= work_.streamed_bytes;
    }
    base.split_rows = SplitRowsIsFaster(base.tile_rows);
    GemmMapping best;
    best.estimated_seconds = -1;
    const SystolicArraySpec& array = machine_.npu.array;
    const std::int64_t m_step = std::min(work_.m, base.tile_rows);
    for (const std::int64_t bm : BlockSizes(work_.m, m_step)) {
      if (base.streamed_resident && base.stationary_resident && bm != work_.m) break;
      for (const std::int64_t bn : BlockSizes(work_.n, array.columns)) {
        if (base.stationary_resident && bn != work_.n) break;
        for (const std::int64_t bk : BlockSizes(work_.k, array.rows)) {
          if (OutputStationary() && bk != work_.k) break;  // sums stay in the array
          if (base.streamed_resident && base.stationary_resident && bk != work_.k) break;
          for (const bool m_outer : {true, false}) {
            GemmMapping candidate = base;
            candidate.estimated_seconds = -1;  // stays so where it does not fit
            candidate.block_m = bm;
            candidate.block_n = bn;
            candidate.block_k = bk;
            candidate.m_outer = m_outer;
            Price(&candidate, left);
            if (candidate.estimated_seconds >= 0 &&
                (best.estimated_seconds < 0 ||
                 candidate.estimated_seconds < best.estimated_seconds)) {
              best = candidate;
            }
          }
        }
      }
    }
    if (best.estimated_seconds < 0) {  // nothing fits: the smallest blocks, one buffer
      best = base;
      best.block_m = m_step;
      best.block_n = std::min(work_.n, array.columns);
      best.block_k = std::min(work_.k, array.rows);
      best.estimated_seconds = 0;
    }
    return best;
  }

 private:
  bool Unified() const { return machine_.npu.unified.size_bytes > 0; }
  const ScratchpadSpec& StreamedPad() const {
    return Unified() ? machine_.npu.unified : machine_.npu.input;
  }
  const ScratchpadSpec& StationaryPad() const {
    return Unified() ? machine_.npu.unified : machine_.npu.weight;
  }

  bool OutputStationary() const {
    return machine_.npu.array.dataflow == Dataflow::kOutputStationary;
  }

  /// Rows a tile: what half of the accumulators hold, in equal chunks.
  std::int64_t TileRows() const {
    const std::int64_t accumulators = machine_.npu.accumulators.rows;
    if (OutputStationary()) return std::min(work_.m, machine_.npu.array.rows);
    std::int64_t most = machine_.npu.mapping.output_block_rows;
    if (accumulators > 0) most = std::min(most, std::max<std::int64_t>(accumulators / 2, 1));
    return CeilDivide(work_.m, CeilDivide(work_.m, most));
  }

  bool SplitRowsIsFaster(std::int64_t rows) const {
    const std::int64_t arrays = machine_.npu.array.count;
    if (arrays == 1 || OutputStationary()) return false;
    const std::int64_t tiles = work_.groups * CeilDivide(work_.n, machine_.npu.array.columns) *
                               CeilDivide(work_.k, machine_.npu.array.rows);
    const double in_turn = static_cast<double>(CeilDivide(tiles, arrays)) *
                           cost_.MatmulIntervalCycles(rows, work_.rate);
    const double split = static_cast<double>(tiles) *
                         cost_.MatmulIntervalCycles(CeilDivide(rows, arrays), work_.rate);
    return split < in_turn;
  }

  double ComputeSeconds(const GemmMapping& mapping) const {
    const std::int64_t arrays = machine_.npu.array.count;
    const std::int64_t outputs = CeilDivide(work_.n, machine_.npu.array.columns) * work_.groups *
                                 CeilDivide(work_.m, mapping.tile_rows);
    if (OutputStationary()) {
      return static_cast<double>(CeilDivide(outputs, arrays)) *
             cost_.MatmulIntervalCycles(work_.k, work_.rate) / machine_.clock_hz;
    }
    const std::int64_t tiles = outputs * CeilDivide(work_.k, machine_.npu.array.rows);
    const double cycles =
        mapping.split_rows
            ? static_cast<double>(tiles) *
                  cost_.MatmulIntervalCycles(CeilDivide(mapping.tile_rows, arrays), work_.rate)
            : static_cast<double>(CeilDivide(tiles, arrays)) *
                  cost_.MatmulIntervalCycles(mapping.tile_rows, work_.rate);
    return cycles / machine_.clock_hz;
  }

  void Price(GemmMapping* g, std::int64_t left) const {
    const auto share = [](std::int64_t bytes, std::int64_t part_a, std::int64_t whole_a,
                          std::int64_t part_b, std::int64_t whole_b) {
      return static_cast<double>(bytes) * static_cast<double>(part_a) /
             static_cast<double>(whole_a) * static_cast<double>(part_b) /
             static_cast<double>(whole_b);
    };
    const double groups = static_cast<double>(work_.groups);
    const double streamed_block =
        g->streamed_resident
            ? 0
            : share(work_.streamed_bytes, g->block_m, work_.m, g->block_k, work_.k) / groups;
    const double stationary_block =
        g->stationary_resident
            ? 0
            : share(work_.stationary_bytes, g->block_n, work_.n, g->block_k, work_.k) / groups;
    const double buffers = static_cast<double>(machine_.npu.mapping.buffers);
    // Sums of a block stay on chip until its last stretch of k.
    const double sums = g->block_k < work_.k ? 4.0 * static_cast<double>(g->block_m) *
                                                   static_cast<double>(g->block_n)
                                             : 0;
    const double accumulator_bytes =
        static_cast<double>(machine_.npu.accumulators.rows * machine_.npu.array.columns *
                            machine_.npu.array.count) *
        static_cast<double>(machine_.npu.accumulators.width_bits) / 8;
    const double sums_in_pad = machine_.npu.accumulators.rows > 0 ? 0 : sums;
    if (machine_.npu.accumulators.rows > 0 && sums > accumulator_bytes) return;
    const double staging = 0.02 * static_cast<double>(StreamedPad().size_bytes);
    if (Unified()) {
      if (buffers * (streamed_block + stationary_block) + sums_in_pad + staging >
          static_cast<double>(left)) {
        return;
      }
    } else if (buffers * streamed_block > static_cast<double>(free_streamed_) ||
               buffers * stationary_block > static_cast<double>(free_stationary_) ||
               sums_in_pad > static_cast<double>(machine_.npu.output.size_bytes)) {
      return;
    }
    const double m_blocks = static_cast<double>(CeilDivide(work_.m, g->block_m));
    const double n_blocks = static_cast<double>(CeilDivide(work_.n, g->block_n));
    const bool whole_k = g->block_k >= work_.k;
    double streamed = g->streamed_resident ? 0 : static_cast<double>(work_.streamed_bytes);
    double stationary = g->stationary_resident ? 0 : static_cast<double>(work_.stationary_bytes);
    if (!(whole_k && (g->m_outer || m_blocks == 1))) streamed *= n_blocks;
    if (!(whole_k && (!g->m_outer || n_blocks == 1))) stationary *= m_blocks;
    double before = 0;  // copied before the loops begin
    if (g->streamed_resident && !work_.streamed_on_chip)
      before += static_cast<double>(work_.streamed_bytes);
    if (g->stationary_resident && !work_.stationary_on_chip && !fifo_) {
      before += static_cast<double>(work_.stationary_bytes);
    }
    const double out = work_.result_leaves ? static_cast<double>(work_.result_bytes) : 0;
    const double first = streamed_block + stationary_block;
    const double last = out * static_cast<double>(g->block_m) / static_cast<double>(work_.m) /
                        std::max(1.0, n_blocks);
    const auto seconds = [&](double bytes) {
      return cost_.CopySeconds(static_cast<std::int64_t>(bytes));
    };
    // A step can't be faster than its copies, its products, or a buffer's round: latency, copy,
    // products, over the number of buffers.
    const double steps =
        groups * m_blocks * n_blocks * static_cast<double>(CeilDivide(work_.k, g->block_k));
    const double compute = ComputeSeconds(*g) / steps;
    const double latency = cost_.CopySeconds(0);
    const double copies = (seconds(streamed + stationary + out) - latency) / steps;
    const bool copied = streamed + stationary > 0;
    const double round = ((copied ? latency : 0) + copies + compute) / buffers;
    g->estimated_seconds = seconds(before) + seconds(first) + seconds(last) +
                           steps * std::max({compute, copies, round});
  }

  const GemmExtents& work_;
  const MachineSpec& machine_;
  const TileCost& cost_;
  std::int64_t free_streamed_, free_stationary_;
  bool fifo_;
};

}  // namespace

std::string GemmMapping::Text() const {
  return fmt::format(
      "blocks {}x{}x{} {}, tile rows {}{}, streamed {}, stationary {}", block_m, block_n, block_k,
      m_outer ? "m outer" : "n outer", tile_rows, split_rows ? " split over arrays" : "",
      streamed_resident ? "resident" : "blockwise", stationary_resident ? "resident" : "blockwise");
}

GemmMapping SearchGemmMapping(const GemmExtents& work, const MachineSpec& machine,
                              const TileCost& cost, std::int64_t free_streamed_bytes,
                              std::int64_t free_stationary_bytes) {
  return Search(work, machine, cost, free_streamed_bytes, free_stationary_bytes).Run();
}

}  // namespace siliscope
