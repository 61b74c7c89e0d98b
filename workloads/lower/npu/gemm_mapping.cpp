// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/npu/gemm_mapping.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

namespace siliscope {
namespace {

/// Sizes of a block along one dimension: the whole, then halves in steps of the array's extent; or
/// the one that is wanted.
std::vector<std::int64_t> BlockSizes(std::int64_t extent, std::int64_t step, std::int64_t wanted) {
  if (wanted > 0) return {std::min(extent, CeilDivide(wanted, step) * step)};
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
        wanted_(machine.npu.mapping),
        cost_(cost),
        free_streamed_(free_streamed),
        free_stationary_(free_stationary),
        fifo_(machine.npu.weight_fifo_tiles > 0) {}

  GemmMapping Run() {
    const GemmMapping base = Base();
    GemmMapping best;
    const SystolicArraySpec& array = machine_.npu.array;
    const std::int64_t m_step = std::min(work_.m, base.tile_rows);
    const bool both = base.streamed_resident && base.stationary_resident;
    for (const std::int64_t bm : BlockSizes(work_.m, m_step, wanted_.block_m)) {
      if (both && bm != work_.m) break;
      for (const std::int64_t bn : BlockSizes(work_.n, array.columns, wanted_.block_n)) {
        if (base.stationary_resident && bn != work_.n) break;
        for (const std::int64_t bk : BlockSizes(work_.k, array.rows, wanted_.block_k)) {
          if ((OutputStationary() || both) && bk != work_.k) break;
          GemmMapping candidate = base;
          candidate.block_m = bm;
          candidate.block_n = bn;
          candidate.block_k = bk;
          PriceOrders(&candidate, &best);
        }
      }
    }
    if (best.estimated_seconds >= 0) return best;
    best = base;  // nothing fits: the smallest blocks, one buffer
    best.block_m = m_step;
    best.block_n = std::min(work_.n, array.columns);
    best.block_k = OutputStationary() ? work_.k : std::min(work_.k, array.rows);
    best.estimated_seconds = 1e9;
    return best;
  }

 private:
  /// What does not depend on blocks: rows a tile, and the operands that are placed whole.
  GemmMapping Base() {
    GemmMapping base;
    base.dataflow = work_.dataflow;
    base.tile_rows = TileRows();
    const bool blocks_wanted = wanted_.block_m + wanted_.block_n + wanted_.block_k > 0;
    const double fraction = blocks_wanted ? 0 : wanted_.resident_fraction;
    const auto fits = [&](std::int64_t bytes, const ScratchpadSpec& pad, std::int64_t free) {
      return static_cast<double>(bytes) <= fraction * static_cast<double>(pad.size_bytes) &&
             bytes <= free;
    };
    base.stationary_resident = fifo_ || work_.stationary_on_chip ||
                               fits(work_.stationary_bytes, StationaryPad(), free_stationary_);
    left_ = free_streamed_;
    if (Unified() && base.stationary_resident && !fifo_ && !work_.stationary_on_chip) {
      left_ -= work_.stationary_bytes;
    }
    base.streamed_resident =
        work_.streamed_on_chip || fits(work_.streamed_bytes, StreamedPad(), left_);
    if (Unified() && base.streamed_resident && !work_.streamed_on_chip) {
      left_ -= work_.streamed_bytes;
    }
    base.split_rows = SplitRowsIsFaster(base.tile_rows);
    return base;
  }

  void PriceOrders(GemmMapping* candidate, GemmMapping* best) const {
    static constexpr std::array kOrders = {LoopOrder::kMnk, LoopOrder::kNmk, LoopOrder::kKmn,
                                           LoopOrder::kKnm};
    const bool one_k = candidate->block_k >= work_.k;
    for (const LoopOrder order : kOrders) {
      if (wanted_.loop_order != LoopOrder::kSearched && wanted_.loop_order != order) continue;
      candidate->order = order;
      // With one block of k there is nothing to spill; a FIFO has its tiles in one order.
      if (candidate->spills_sums() && (one_k || fifo_ || OutputStationary())) {
        if (wanted_.loop_order != order) continue;
        candidate->order = order == LoopOrder::kKmn ? LoopOrder::kMnk : LoopOrder::kNmk;
      }
      candidate->estimated_seconds = -1;
      Price(candidate);
      const double seconds = candidate->estimated_seconds;
      if (seconds >= 0 && (best->estimated_seconds < 0 || seconds < best->estimated_seconds)) {
        *best = *candidate;
      }
    }
  }

  bool Unified() const { return machine_.npu.unified.size_bytes > 0; }
  const ScratchpadSpec& StreamedPad() const {
    return Unified() ? machine_.npu.unified : machine_.npu.input;
  }
  const ScratchpadSpec& StationaryPad() const {
    return Unified() ? machine_.npu.unified : machine_.npu.weight;
  }
  bool OutputStationary() const { return work_.dataflow == Dataflow::kOutputStationary; }

  double SumBytes() const { return static_cast<double>(machine_.npu.accumulators.width_bits) / 8; }

  double IntervalCycles(std::int64_t rows) const {
    return cost_.MatmulIntervalCycles(rows, work_.rate, OutputStationary());
  }

  /// Rows a tile: what half of the accumulators hold, in equal chunks.
  std::int64_t TileRows() const {
    const std::int64_t accumulators = machine_.npu.accumulators.rows;
    if (OutputStationary()) return std::min(work_.m, machine_.npu.array.rows);
    std::int64_t most = wanted_.output_block_rows;
    if (accumulators > 0) most = std::min(most, std::max<std::int64_t>(accumulators / 2, 1));
    return CeilDivide(work_.m, CeilDivide(work_.m, most));
  }

  bool SplitRowsIsFaster(std::int64_t rows) const {
    const std::int64_t arrays = machine_.npu.array.count;
    if (arrays == 1 || OutputStationary()) return false;
    const std::int64_t tiles = work_.groups * CeilDivide(work_.n, machine_.npu.array.columns) *
                               CeilDivide(work_.k, machine_.npu.array.rows);
    const double in_turn = static_cast<double>(CeilDivide(tiles, arrays)) * IntervalCycles(rows);
    const double split = static_cast<double>(tiles) * IntervalCycles(CeilDivide(rows, arrays));
    return split < in_turn;
  }

  double ComputeSeconds(const GemmMapping& mapping) const {
    const std::int64_t arrays = machine_.npu.array.count;
    const std::int64_t outputs = CeilDivide(work_.n, machine_.npu.array.columns) * work_.groups *
                                 CeilDivide(work_.m, mapping.tile_rows);
    if (OutputStationary()) {
      return static_cast<double>(CeilDivide(outputs, arrays)) * IntervalCycles(work_.k) /
             machine_.clock_hz;
    }
    const std::int64_t tiles = outputs * CeilDivide(work_.k, machine_.npu.array.rows);
    const double cycles =
        mapping.split_rows
            ? static_cast<double>(tiles) * IntervalCycles(CeilDivide(mapping.tile_rows, arrays))
            : static_cast<double>(CeilDivide(tiles, arrays)) * IntervalCycles(mapping.tile_rows);
    return cycles / machine_.clock_hz;
  }

  /// Bytes of one block of an operand that passes through.
  double BlockBytes(std::int64_t bytes, std::int64_t block, std::int64_t whole,
                    std::int64_t block_k) const {
    return static_cast<double>(bytes) / static_cast<double>(work_.groups) *
           static_cast<double>(block) / static_cast<double>(whole) * static_cast<double>(block_k) /
           static_cast<double>(work_.k);
  }

  /// Whether the blocks, and the sums that wait for their next stretch of k, fit on chip.
  bool Fits(const GemmMapping& g, double streamed_block, double stationary_block) const {
    const AccumulatorSpec& accumulators = machine_.npu.accumulators;
    const bool sums_wait = g.block_k < work_.k && !g.spills_sums();
    const double sums =
        sums_wait ? SumBytes() * static_cast<double>(g.block_m) * static_cast<double>(g.block_n)
                  : 0;
    const double accumulator_bytes =
        SumBytes() * static_cast<double>(accumulators.rows * machine_.npu.array.columns *
                                         machine_.npu.array.count);
    if (accumulators.rows > 0 && sums > accumulator_bytes) return false;
    const double sums_in_pad = accumulators.rows > 0 ? 0 : sums;
    const double buffers = static_cast<double>(wanted_.buffers);
    if (Unified()) {
      const double staging = 0.02 * static_cast<double>(StreamedPad().size_bytes);
      return buffers * (streamed_block + stationary_block) + sums_in_pad + staging <=
             static_cast<double>(left_);
    }
    return buffers * streamed_block <= static_cast<double>(free_streamed_) &&
           buffers * stationary_block <= static_cast<double>(free_stationary_) &&
           sums_in_pad <= static_cast<double>(machine_.npu.output.size_bytes);
  }

  void Price(GemmMapping* g) const {
    const double streamed_block =
        g->streamed_resident ? 0
                             : BlockBytes(work_.streamed_bytes, g->block_m, work_.m, g->block_k);
    const double stationary_block =
        g->stationary_resident
            ? 0
            : BlockBytes(work_.stationary_bytes, g->block_n, work_.n, g->block_k);
    if (!Fits(*g, streamed_block, stationary_block)) return;
    const double m_blocks = static_cast<double>(CeilDivide(work_.m, g->block_m));
    const double n_blocks = static_cast<double>(CeilDivide(work_.n, g->block_n));
    const double k_blocks = static_cast<double>(CeilDivide(work_.k, g->block_k));
    // An operand's block is still there for the next step where that uses the same one.
    const bool one_k_at_a_time = k_blocks == 1 || g->spills_sums();
    const bool keeps_streamed = one_k_at_a_time && (g->m_before_n() || m_blocks == 1);
    const bool keeps_stationary = one_k_at_a_time && (!g->m_before_n() || n_blocks == 1);
    double streamed = g->streamed_resident ? 0 : static_cast<double>(work_.streamed_bytes);
    double stationary = g->stationary_resident ? 0 : static_cast<double>(work_.stationary_bytes);
    if (!keeps_streamed) streamed *= n_blocks;
    if (!keeps_stationary) stationary *= m_blocks;
    const double out = work_.result_leaves ? static_cast<double>(work_.result_bytes) : 0;
    const double spilled = g->spills_sums() ? 2.0 * SumBytes() * (k_blocks - 1) *
                                                  static_cast<double>(work_.groups * work_.m) *
                                                  static_cast<double>(work_.n)
                                            : 0;
    const double last = out * static_cast<double>(g->block_m) / static_cast<double>(work_.m) /
                        std::max(1.0, n_blocks);
    const double before =
        (g->streamed_resident && !work_.streamed_on_chip
             ? Seconds(static_cast<double>(work_.streamed_bytes), work_.streamed_space)
             : 0) +
        (g->stationary_resident && !work_.stationary_on_chip && !fifo_
             ? Seconds(static_cast<double>(work_.stationary_bytes), work_.stationary_space)
             : 0);
    // Different memories work at the same time.
    std::array<double, 3> traffic{};
    const auto add = [&](double bytes, MemorySpace space) {
      traffic[static_cast<std::size_t>(space)] += bytes;
    };
    add(streamed, work_.streamed_space);
    add(stationary, work_.stationary_space);
    add(out, work_.result_space);
    add(spilled, work_.spill_space);
    double copies = 0, latency = 0;
    for (std::size_t m = 0; m < traffic.size(); ++m) {
      if (traffic[m] <= 0) continue;
      const auto space = static_cast<MemorySpace>(m);
      const double fixed = Seconds(0, space);
      copies = std::max(copies, Seconds(traffic[m], space) - fixed);
      latency = std::max(latency, fixed);
    }
    // A step can't be faster than its copies, its products, or a buffer's round: latency, copy,
    // products, over the number of buffers.
    const double steps = static_cast<double>(work_.groups) * m_blocks * n_blocks * k_blocks;
    const double compute = ComputeSeconds(*g) / steps;
    const bool copied = streamed + stationary > 0;
    const double round =
        ((copied ? latency : 0) + copies / steps + compute) / static_cast<double>(wanted_.buffers);
    g->estimated_seconds =
        before + FirstSeconds(streamed_block, work_.streamed_space) +
        FirstSeconds(stationary_block, work_.stationary_space) +
        FirstSeconds(last, work_.result_space) +
        std::max(steps * std::max({compute, copies / steps, round}), SpillSeconds(*g));
  }

  double Seconds(double bytes, MemorySpace space) const {
    return cost_.CopySeconds(static_cast<std::int64_t>(bytes), space);
  }
  /// Of a copy that nothing hides, if there is one.
  double FirstSeconds(double bytes, MemorySpace space) const {
    return bytes > 0 ? Seconds(bytes, space) : 0;
  }

  /// Each place for sums takes in the old ones, adds a stretch of k, and gives them out again.
  double SpillSeconds(const GemmMapping& g) const {
    if (!g.spills_sums()) return 0;
    const double tiles = static_cast<double>(work_.groups * CeilDivide(work_.m, g.tile_rows) *
                                             CeilDivide(work_.n, machine_.npu.array.columns) *
                                             CeilDivide(work_.k, g.block_k));
    const std::int64_t bytes = g.tile_rows * std::min(work_.n, machine_.npu.array.columns) *
                               machine_.npu.accumulators.width_bits / 8;
    const double round =
        2 * cost_.CopySeconds(bytes, work_.spill_space) + ComputeSeconds(g) / tiles;
    return tiles * round / static_cast<double>(SumPlaces(g, machine_.npu));
  }

  const GemmExtents& work_;
  const MachineSpec& machine_;
  const NpuMappingSpec& wanted_;
  const TileCost& cost_;
  std::int64_t free_streamed_, free_stationary_;
  std::int64_t left_ = 0;  ///< of the scratchpad, for blocks of both operands
  bool fifo_;
};

}  // namespace

std::string GemmMapping::Text() const {
  static const char* const kDataflows[] = {"weight stationary", "output stationary",
                                           "input stationary"};
  static const char* const kOrders[] = {"", "m outer", "n outer", "k then m outer, sums spilled",
                                        "k then n outer, sums spilled"};
  return fmt::format(
      "{}, blocks {}x{}x{} {}, tile rows {}{}, streamed {}, stationary {}",
      kDataflows[static_cast<std::size_t>(dataflow)], block_m, block_n, block_k,
      kOrders[static_cast<std::size_t>(order)], tile_rows, split_rows ? " split over arrays" : "",
      streamed_resident ? "resident" : "blockwise", stationary_resident ? "resident" : "blockwise");
}

std::int64_t SumPlaces(const GemmMapping& mapping, const NpuSpec& npu) {
  if (npu.accumulators.rows > 0) {
    return std::max<std::int64_t>(1, npu.accumulators.rows / mapping.tile_rows) * npu.array.count;
  }
  const ScratchpadSpec& pad = npu.unified.size_bytes > 0 ? npu.unified : npu.output;
  const std::int64_t tile = mapping.tile_rows * npu.array.columns * npu.accumulators.width_bits / 8;
  return std::clamp<std::int64_t>(pad.size_bytes / 16 / tile, 2, 256);
}

GemmMapping SearchGemmMapping(const GemmExtents& work, const MachineSpec& machine,
                              const TileCost& cost, std::int64_t free_streamed_bytes,
                              std::int64_t free_stationary_bytes) {
  return Search(work, machine, cost, free_streamed_bytes, free_stationary_bytes).Run();
}

}  // namespace siliscope
