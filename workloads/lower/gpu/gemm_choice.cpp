// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/gpu/gemm_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "sim/core/error.h"
#include "workloads/lower/gpu/kernel_name.h"
#include "workloads/lower/gpu/stream_kernel.h"

namespace siliscope {
namespace {

/// The tile with the least estimated time, of those that `may` be taken.
template <typename Predicate>
std::optional<GemmTile> FastestTile(const MachineSpec& machine, const GemmProblem& p,
                                    const std::vector<GemmTile>& tiles, Predicate may) {
  std::optional<GemmTile> best;
  double least = 0;
  for (const GemmTile& tile : tiles) {
    if (!may(tile)) continue;
    const double seconds = EstimateGemmSeconds(machine, p, tile);
    if (!best || seconds < least) best = tile, least = seconds;
  }
  return best;
}

/// The large tile that the chip's library is known to settle on.
std::optional<GemmTile> SettledTile(const MachineSpec& machine, const GemmProblem& p,
                                    const std::vector<GemmTile>& tiles) {
  const KernelLibrarySpec& library = machine.gpu.library;
  if (library.large_tile_rows == 0 || p.batch > 1 || !p.a_steps.empty()) return std::nullopt;
  if (p.k >= library.large_tile_below_k) return std::nullopt;
  return FastestTile(machine, p, tiles, [&](const GemmTile& t) {
    const bool large = (t.bm == library.large_tile_rows && t.bn == library.large_tile_columns) ||
                       (t.bn == library.large_tile_rows && t.bm == library.large_tile_columns);
    const std::int64_t ctas = (p.m + t.bm - 1) / t.bm * ((p.n + t.bn - 1) / t.bn);
    return large && t.kind == GemmTile::Kind::kTensor && t.split == 1 &&
           ctas >= library.large_tile_from_ctas && p.m >= t.bm && p.n >= t.bn;
  });
}

/// A program of one product alone, with the tensors that it touches.
class Trial {
 public:
  Trial(GpuLowering& lowering, std::uint32_t op, const GemmProblem& problem, const GemmTile& tile)
      : lowering_(lowering), problem_(problem) {
    program_.dtype = lowering.dtype();
    program_.operators = {lowering.info(op)};
    // Between two runs of a network its other operators take the caches.
    program_.gpu.cold_weights = lowering.graph().operators.size() > 1;
    problem_.a = Keep(problem.a);
    problem_.b = Keep(problem.b);
    problem_.c = Keep(problem.c);
    for (std::uint32_t& operand : problem_.epilogue_operands) operand = Keep(operand);
    const MachineSpec& machine = lowering.machine();
    if ((tile.split == 1 || tile.cluster_split) && !tile.stream_k) {
      Launch(MakeGemmKernel(machine, problem_, tile, 0));
      return;
    }
    GpuTensor sums = program_.gpu.tensors[problem_.c];
    sums.name = "partial_sums";
    sums.address = free_;
    sums.rows = tile.stream_k ? machine.gpu.sms * tile.bm : problem.m * tile.split;
    sums.row_bytes = 4 * (tile.stream_k ? tile.bn : problem.n);
    const auto at = static_cast<std::uint32_t>(program_.gpu.tensors.size());
    program_.gpu.tensors.push_back(sums);
    Launch(MakeGemmKernel(machine, problem_, tile, at));
    if (tile.stream_k) return;
    Launch(
        MakeReductionKernel(machine, sums, at, problem_.c, tile.split, problem.m, problem.c_bytes));
  }
  Program Take() { return std::move(program_); }

 private:
  std::uint32_t Keep(std::uint32_t tensor) {
    const GpuTensor& kept = lowering_.Layout(tensor);
    free_ = std::max(free_, kept.address + kept.rows * kept.row_bytes);
    program_.gpu.tensors.push_back(kept);
    return static_cast<std::uint32_t>(program_.gpu.tensors.size() - 1);
  }
  void Launch(GpuKernel kernel) {
    GpuLaunch launch;
    launch.kernel = static_cast<std::uint32_t>(program_.gpu.kernels.size());
    program_.gpu.kernels.push_back(std::move(kernel));
    program_.gpu.launches.push_back(launch);
  }

  GpuLowering& lowering_;
  GemmProblem problem_;
  Program program_;
  std::int64_t free_ = 0;  ///< address beyond all tensors
};

std::string KeyOf(const GemmProblem& p) {
  return fmt::format("{} {} {} {} {}{}{} {} {} {} {} {} {} {} {}/{}", p.m, p.n, p.k, p.batch,
                     p.a_k_contiguous, p.b_k_contiguous, p.b_shared, p.a_bytes, p.b_bytes,
                     p.c_bytes, p.dtype, p.epilogue_operations, p.epilogue_operands.size(),
                     p.a_steps.size(), p.a_rows_numerator, p.a_rows_denominator);
}

/// Runs the best few by estimate, `first` among them, and takes the fastest.
GemmTile FastestOfTrials(GpuLowering& lowering, std::uint32_t op, const GemmProblem& p,
                         std::vector<GemmTile> tiles, const GemmTile& first) {
  constexpr std::size_t kTried = 8;
  const auto known = lowering.tried().find(KeyOf(p));
  if (known != lowering.tried().end()) return known->second;
  const MachineSpec& machine = lowering.machine();
  const std::size_t tried = std::min(kTried, tiles.size());
  std::partial_sort(tiles.begin(), tiles.begin() + static_cast<std::ptrdiff_t>(tried), tiles.end(),
                    [&](const GemmTile& x, const GemmTile& y) {
                      return EstimateGemmSeconds(machine, p, x) <
                             EstimateGemmSeconds(machine, p, y);
                    });
  tiles.resize(tried);
  tiles.push_back(first);
  std::vector<Program> programs;
  for (const GemmTile& tile : tiles) programs.push_back(Trial(lowering, op, p, tile).Take());
  const std::vector<double> seconds = lowering.trials()(programs);
  const auto least = std::min_element(seconds.begin(), seconds.end()) - seconds.begin();
  return lowering.tried()[KeyOf(p)] = tiles[static_cast<std::size_t>(least)];
}

}  // namespace

GemmTile ChooseTile(GpuLowering& lowering, std::uint32_t op, const GemmProblem& p) {
  const MachineSpec& machine = lowering.machine();
  const std::vector<GemmTile> tiles = GemmTiles(machine, p);
  if (tiles.empty()) throw UserError(p.dtype + " has no matrix kernel on " + machine.name);
  if (!lowering.kernel_name().empty()) {
    if (const auto named = TileOfName(lowering.kernel_name(), p, tiles)) return *named;
    lowering.Note(fmt::format("{}: no tile of {} is named so for {} x {} x {}; our own choice",
                              lowering.kernel_name(), machine.name, p.m, p.n, p.k));
  }
  std::optional<GemmTile> best = SettledTile(machine, p, tiles);
  if (!best) best = FastestTile(machine, p, tiles, [](const GemmTile&) { return true; });
  if (!lowering.trials()) return *best;
  return FastestOfTrials(lowering, op, p, tiles, *best);
}

}  // namespace siliscope
