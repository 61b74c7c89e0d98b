// SPDX-License-Identifier: Apache-2.0
// Clusters of cores that are not simulated, because their threads do what those of the first
// cluster do, on other data. What they do to the first one is taken from what it does itself: each
// of its requests at the memory comes with one of each of them, and what they have in their caches
// is told from how much has come into its own since.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/contract/cpu_program.h"
#include "sim/contract/cpu_spec.h"

namespace siliscope {

class AlikeClusters {
 public:
  /// Whether nearly all work of the program is like some of the first cluster's.
  static bool Are(const CpuSpec& spec, const CpuProgram& program);

  AlikeClusters(const CpuSpec& spec, const CpuProgram& program);

  /// A region begins in `cycle`, and what the one before has written is known to all.
  void BeginRegion(const CpuRegion& region, std::uint64_t cycle);
  /// What of the first cluster came into its caches before this cycle has since been written by
  /// another one.
  std::uint64_t OutdatedBefore(std::int64_t line) const { return tensors_[At(line)].outdated; }
  void NoteWrite(std::int64_t line);
  /// The first cluster wants a line that it does not have: whether another one has it, or is about
  /// to.
  bool Have(std::int64_t line);
  /// Requests of the others at the memory beside the next one of the first cluster.
  int Requests();
  /// How often what the first cluster does is done by all of them in this region.
  double Times() const { return times_; }
  /// The thread of the first cluster that does what a thread of another one does, and how much
  /// longer that one takes; 0 = it does nothing.
  struct Like {
    std::size_t thread = 0;
    double share = 0;
  };
  const Like& LikeOf(std::size_t thread) const { return like_[thread]; }

 private:
  static constexpr std::int64_t kPage = 4096;
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};
  struct TensorState {
    std::uint64_t written = 0;                          ///< begin of the region that wrote it last
    std::uint64_t outdated = 0;                         ///< the same, of regions that have ended
    std::uint64_t used = kNever, used_before = kNever;  ///< lines that had come in by then
    std::uint32_t region = 0;                           ///< in which it was used last
    std::uint32_t sharers = 1;                          ///< clusters that read the same of it
    bool own = false;                                   ///< a thread's
  };

  std::size_t At(std::int64_t line) const {
    const std::size_t page = static_cast<std::size_t>(line / lines_of_page_);
    return page < tensor_of_page_.size() ? tensor_of_page_[page] : 0;
  }
  void Use(TensorState* tensor);
  void FindLikes(const CpuRegion& region);
  void FindSharers(const CpuRegion& region);

  const CpuProgram& program_;
  std::size_t cores_;  ///< of a cluster
  std::int64_t lines_of_page_;
  std::uint64_t lines_of_cluster_;  ///< that its caches hold
  std::vector<TensorState> tensors_;
  std::vector<std::uint32_t> tensor_of_page_;
  std::vector<std::size_t> written_;  ///< tensors, in this region
  std::vector<Like> like_;            ///< by thread
  std::uint32_t region_ = 0;
  std::uint64_t begin_ = 0;       ///< of the region
  std::uint64_t came_in_ = 0;     ///< lines from beyond the cluster
  double others_ = 0, owed_ = 0;  ///< clusters that do the same; requests
  double times_ = 1;
};

}  // namespace siliscope
