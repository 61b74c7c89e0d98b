// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/gpu/kernel_name.h"

#include <algorithm>
#include <cstdlib>
#include <regex>

#include "sim/core/ceil_divide.h"

namespace siliscope {
namespace {

std::int64_t Number(const std::string& text) { return std::strtoll(text.c_str(), nullptr, 10); }

/// The offered tile of that size, in either direction, without split.
std::optional<GemmTile> Offered(std::int64_t bm, std::int64_t bn, bool sliced,
                                const std::vector<GemmTile>& offered) {
  const auto plain = [&](const GemmTile& t) {
    return t.split == 1 && t.cluster_rows * t.cluster_columns == 1 && (t.slices > 1) == sliced;
  };
  for (const GemmTile& t : offered) {
    if (t.bm == bm && t.bn == bn && plain(t)) return t;
  }
  for (const GemmTile& t : offered) {
    if (t.bm != bn || t.bn != bm || !plain(t)) continue;
    GemmTile turned = t;
    std::swap(turned.bm, turned.bn);
    std::swap(turned.thread_m, turned.thread_n);
    std::swap(turned.warps_m, turned.warps_n);
    return turned;
  }
  return std::nullopt;
}

}  // namespace

std::optional<GemmTile> TileOfName(const std::string& name, const GemmProblem& problem,
                                   const std::vector<GemmTile>& offered) {
  static const std::regex kTile("(?:sgemm_|tilesize|gemm_|conv_)([0-9]+)x([0-9]+)");
  static const std::regex kGrid("grid ([0-9]+)x([0-9]+)x([0-9]+)");
  std::smatch tile, grid;
  std::int64_t x = 0, y = 0, z = 1;
  if (std::regex_search(name, grid, kGrid)) {
    x = Number(grid[1]), y = Number(grid[2]), z = Number(grid[3]);
  }
  std::int64_t a = 256, b = 128;  // cutlass names no tile
  if (std::regex_search(name, tile, kTile)) {
    a = Number(tile[1]), b = Number(tile[2]);
  } else if (name.find("cutlass") == std::string::npos) {
    return std::nullopt;
  }
  // Which way the tile lies follows from the grid: BLAS names count columns first.
  const auto fits = [&](std::int64_t bm, std::int64_t bn) {
    return CeilDivide(problem.m, bm) * CeilDivide(problem.n, bn) == x * y;
  };
  const bool named_for_blas = name.find("sgemm_") != std::string::npos;
  std::int64_t bm = named_for_blas ? b : a, bn = named_for_blas ? a : b;
  if (x > 0 && !fits(bm, bn) && fits(bn, bm)) std::swap(bm, bn);
  const bool sliced = name.find("sliced1x4") != std::string::npos;
  std::optional<GemmTile> found = Offered(bm, bn, sliced, offered);
  if (!found && bm * bn == 256 * 128) {
    found = Offered(128, 128, sliced, offered);
    if (found) {  // twice the threads
      found->bm = bm, found->bn = bn;
    }
  }
  if (!found) return std::nullopt;
  if (problem.batch == 1) found->split = std::max<std::int64_t>(1, z);
  return found;
}

}  // namespace siliscope
