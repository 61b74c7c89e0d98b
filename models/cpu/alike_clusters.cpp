// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/alike_clusters.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace siliscope {
namespace {

/// Micro-operations of a call.
double WorkOf(const std::vector<CpuCode>& codes, const CpuCall& call) {
  const std::vector<MicroOp>& ops = codes[call.code].ops;
  std::vector<double> times(ops.size(), 1);
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (ops[i].op != MicroOpClass::kBranch) continue;
    for (auto at = static_cast<std::size_t>(ops[i].target); at <= i; ++at) {
      times[at] *= static_cast<double>(call.trips[ops[i].loop]);
    }
  }
  double sum = 0;
  for (const double t : times) sum += t;
  return sum;
}

/// What a thread does, but for where.
std::vector<std::int64_t> KindOf(const std::vector<CpuCall>& calls) {
  std::vector<std::int64_t> kind;
  for (const CpuCall& call : calls) {
    kind.push_back(call.code);
    kind.insert(kind.end(), call.trips.begin(), call.trips.end());
  }
  return kind;
}

double WorkOf(const std::vector<CpuCode>& codes, const std::vector<CpuCall>& calls) {
  double sum = 0;
  for (const CpuCall& call : calls) sum += WorkOf(codes, call);
  return sum;
}

}  // namespace

bool AlikeClusters::Are(const CpuSpec& spec, const CpuProgram& program) {
  constexpr std::size_t kLeast = 3;  // fewer clusters are soon simulated
  constexpr double kNearlyAll = 0.9;
  const auto cores = static_cast<std::size_t>(spec.CoresOfCluster());
  double alike = 0, all = 0;
  bool many = false;
  for (const CpuRegion& region : program.regions) {
    many = many || region.threads.size() > (kLeast - 1) * cores;
    std::map<std::vector<std::int64_t>, double> known;
    for (std::size_t t = 0; t < region.threads.size(); ++t) {
      const std::vector<CpuCall>& calls = region.threads[t];
      auto [kind, is_new] = known.try_emplace(KindOf(calls), 0);
      if (is_new) kind->second = WorkOf(program.codes, calls);
      all += kind->second;
      if (t < cores || !is_new) alike += kind->second;
      if (t >= cores && is_new) known.erase(kind);
    }
  }
  return many && alike >= kNearlyAll * all;
}

AlikeClusters::AlikeClusters(const CpuSpec& spec, const CpuProgram& program)
    : program_(program),
      cores_(static_cast<std::size_t>(spec.CoresOfCluster())),
      lines_of_page_(kPage / spec.line_bytes),
      lines_of_cluster_(static_cast<std::uint64_t>(
          (spec.l3.size_bytes + spec.l2.size_bytes * spec.CoresOfCluster()) / spec.line_bytes)),
      tensors_(program.tensors.size() + 1) {
  tensors_[0].own = true;  // addresses of no tensor
  for (std::size_t t = 0; t < program.tensors.size(); ++t) {
    const CpuTensor& tensor = program.tensors[t];
    const auto end = static_cast<std::size_t>((tensor.address + tensor.bytes) / kPage + 1);
    if (tensor_of_page_.size() < end) tensor_of_page_.resize(end, 0);
    for (auto page = static_cast<std::size_t>(tensor.address / kPage); page < end; ++page) {
      tensor_of_page_[page] = static_cast<std::uint32_t>(t + 1);
    }
    tensors_[t + 1].own = tensor.thread >= 0;
  }
}

void AlikeClusters::BeginRegion(const CpuRegion& region, std::uint64_t cycle) {
  for (const std::size_t t : written_) tensors_[t].outdated = tensors_[t].written;
  written_.clear();
  begin_ = cycle;
  ++region_;
  FindLikes(region);
  FindSharers(region);
}

void AlikeClusters::FindLikes(const CpuRegion& region) {
  const std::size_t first = std::min(cores_, region.threads.size());
  std::map<std::vector<std::int64_t>, std::size_t> known;
  std::vector<double> work(first);
  double own = 0, all = 0;
  for (std::size_t t = first; t-- > 0;) {
    known[KindOf(region.threads[t])] = t;
    work[t] = WorkOf(program_.codes, region.threads[t]);
    own += work[t];
  }
  all = own;
  like_.assign(region.threads.size(), {});
  for (std::size_t t = first; t < region.threads.size(); ++t) {
    const auto same = known.find(KindOf(region.threads[t]));
    Like& like = like_[t];
    if (same != known.end()) {
      like = {same->second, 1};
    } else {
      const double mine = WorkOf(program_.codes, region.threads[t]);
      like.thread = t % cores_;
      like.share = work[like.thread] > 0 ? mine / work[like.thread] : 0;
    }
    all += like.share * work[like.thread];
  }
  times_ = own > 0 ? all / own : 1;
  others_ = times_ - 1;
}

/// Clusters read the same where calls of the same code begin at the same address.
void AlikeClusters::FindSharers(const CpuRegion& region) {
  for (TensorState& tensor : tensors_) tensor.sharers = 1;
  using Place = std::tuple<std::uint32_t, std::size_t, std::int64_t>;  // code, pointer, address
  std::map<Place, std::pair<std::size_t, std::uint32_t>> seen;         // last cluster, clusters
  for (std::size_t t = 0; t < region.threads.size(); ++t) {
    const std::size_t cluster = t / cores_;
    for (const CpuCall& call : region.threads[t]) {
      for (std::size_t p = 0; p < call.pointers.size(); ++p) {
        const Place place{call.code, p, call.pointers[p]};
        if (cluster == 0) {
          seen[place] = {0, 1};
          continue;
        }
        const auto known = seen.find(place);
        if (known == seen.end() || known->second.first == cluster) continue;
        known->second.first = cluster;
        ++known->second.second;
      }
    }
  }
  for (const auto& [place, clusters] : seen) {
    const std::int64_t line = std::get<2>(place) * lines_of_page_ / kPage;
    std::uint32_t& sharers = tensors_[At(line)].sharers;
    sharers = std::max(sharers, clusters.second);
  }
}

void AlikeClusters::Use(TensorState* tensor) {
  if (tensor->region != region_) {
    tensor->region = region_;
    tensor->used_before = tensor->used;
  }
  tensor->used = came_in_;
}

void AlikeClusters::NoteWrite(std::int64_t line) {
  const std::size_t at = At(line);
  TensorState& tensor = tensors_[at];
  if (tensor.own) return;
  Use(&tensor);
  if (tensor.written == begin_ || others_ == 0) return;
  tensor.written = begin_;
  written_.push_back(at);
}

bool AlikeClusters::Have(std::int64_t line) {
  ++came_in_;
  TensorState& tensor = tensors_[At(line)];
  if (tensor.own) return false;
  Use(&tensor);
  if (tensor.used_before != kNever && came_in_ - tensor.used_before < lines_of_cluster_) {
    return true;
  }
  // All that read it come for it at about the same time: one of them finds it in no cache.
  const std::uint64_t mixed = static_cast<std::uint64_t>(line) * 0x9E3779B97F4A7C15ULL >> 32;
  return mixed % tensor.sharers != 0;
}

int AlikeClusters::Requests() {
  owed_ += others_;
  const int now = static_cast<int>(owed_);
  owed_ -= now;
  return now;
}

}  // namespace siliscope
