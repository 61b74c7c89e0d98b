// SPDX-License-Identifier: Apache-2.0
#include "sim/config/torus_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <vector>

#include "sim/core/error.h"

namespace siliscope {
namespace {

class TorusBuilder {
 public:
  TorusBuilder(const TopologyFields& fields, std::int32_t first, std::int64_t chips,
               std::int32_t link, const std::string& place, Topology* topology)
      : f_(fields), first_(first), chips_(chips), link_(link), place_(place), t_(topology) {}

  void Build() {
    t_->chips_forward = true;
    ReadShape();
    for (std::size_t d = 0; d < shape_.size(); ++d) {
      if (shape_[d] == 1) continue;
      for (std::int64_t chip = 0; chip < chips_; ++chip) ConnectAlong(d, chip);
    }
    const auto failed = std::count_if(f_.failed_links.begin(), f_.failed_links.end(),
                                      [](const auto& pair) { return pair.second > 0; });
    if (left_out_ < failed) {
      Fail("topology.failed_links: neighbours of the torus, such as 0-1, each pair once");
    }
    const bool rings =
        std::all_of(shape_.begin(), shape_.end(), [](std::int64_t n) { return n > 2; });
    const bool regular = f_.wrapped && f_.twist == 0 && failed == 0;
    if (rings && regular && f_.nodes == 1) t_->torus = shape_;
  }

 private:
  [[noreturn]] void Fail(const std::string& what) const { throw UserError(place_ + ": " + what); }

  void ReadShape() {
    constexpr std::int64_t kMost = 65536;
    std::int64_t product = 1;
    std::string text = f_.shape;
    std::replace(text.begin(), text.end(), 'x', ' ');
    std::istringstream words(text);
    for (std::int64_t n = 0; words >> n && n >= 1 && n <= kMost && product <= kMost;) {
      shape_.push_back(n);
      stride_.push_back(product);
      product *= n;
    }
    if (shape_.empty() || product != chips_) {
      Fail(fmt::format("topology.shape: \"{}\" is not {} chips, such as 16x16", f_.shape, chips_));
    }
    longest_ =
        static_cast<std::size_t>(std::max_element(shape_.begin(), shape_.end()) - shape_.begin());
    if (f_.twist >= shape_[longest_]) {
      Fail(fmt::format("topology.twist: {}; the longest dimension has {} chips", f_.twist,
                       shape_[longest_]));
    }
  }

  std::int64_t At(std::size_t dimension, std::int64_t chip) const {
    return chip / stride_[dimension] % shape_[dimension];
  }

  /// To the next chip of a dimension. The end of one that wraps meets its beginning, which lies
  /// further along the longest dimension where the torus is twisted (Camara et al., "Twisted torus
  /// topologies for enhanced interconnection networks", IEEE TPDS 21-12, 2010).
  void ConnectAlong(std::size_t dimension, std::int64_t chip) {
    const std::int64_t length = shape_[dimension], stride = stride_[dimension];
    if (At(dimension, chip) + 1 < length) return Connect(chip, chip + stride);
    if (!f_.wrapped || length == 2) return;
    std::int64_t begin = chip - (length - 1) * stride;
    if (dimension != longest_) {
      const std::int64_t at = At(longest_, begin), all = shape_[longest_];
      begin += ((at + f_.twist) % all - at) * stride_[longest_];
    }
    Connect(chip, begin);
  }

  void Connect(std::int64_t a, std::int64_t b) {
    for (const std::string& pair : {fmt::format("{}-{}", a, b), fmt::format("{}-{}", b, a)}) {
      const auto failed = f_.failed_links.find(pair);
      if (failed == f_.failed_links.end() || failed->second == 0) continue;
      if (failed->second != 1) Fail(fmt::format("topology.failed_links.{}: of its 1 links", pair));
      ++left_out_;
      return;
    }
    t_->edges.push_back(
        {first_ + static_cast<std::int32_t>(a), first_ + static_cast<std::int32_t>(b), link_, 1});
  }

  const TopologyFields& f_;
  std::int32_t first_;
  std::int64_t chips_;
  std::int32_t link_;
  const std::string& place_;
  Topology* t_;
  std::vector<std::int64_t> shape_, stride_;
  std::size_t longest_ = 0;
  std::ptrdiff_t left_out_ = 0;  ///< links that failed
};

}  // namespace

void AddTorus(const TopologyFields& fields, std::int32_t first, std::int64_t chips,
              std::int32_t link, const std::string& place, Topology* topology) {
  TorusBuilder(fields, first, chips, link, place, topology).Build();
}

}  // namespace siliscope
