// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/cost_store.h"

#include <cost_version.h>
#include <fmt/format.h>

#include <boost/uuid/name_generator_sha1.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <sstream>
#include <unordered_map>

#include "sim/config/yaml_writer.h"
#include "sim/core/disk_store.h"

namespace siliscope {
namespace {

template <typename Traffic, typename Visit>
void VisitTraffic(Traffic& traffic, Visit number) {
  number(traffic.l1_read_bytes);
  number(traffic.l1_write_bytes);
  number(traffic.shared_read_bytes);
  number(traffic.shared_write_bytes);
}

/// Calls number(field) for each number of a cost but its passes.
template <typename Cost, typename Visit>
void VisitNumbers(Cost& cost, Visit number) {
  number(cost.start_cycles);
  number(cost.later_start_cycles);
  number(cost.instructions);
  auto& c = cost.counters;
  for (auto& slot : c.slots) number(slot);
  number(c.instructions);
  number(c.lanes);
  number(c.tensor_cycles);
  number(c.fp32_cycles);
  number(c.memory_pipe_cycles);
  number(c.bank_conflicts);
  number(c.shared_read_bytes);
  number(c.shared_write_bytes);
  number(c.l1_hits);
  number(c.l1_misses);
  number(c.l1_stores);
  number(c.register_bytes);
  number(c.macs);
  VisitTraffic(cost.once, number);
}

template <typename Pass, typename Visit>
void VisitPass(Pass& pass, Visit number) {
  number(pass.alone_cycles);
  number(pass.chain_cycles);
  number(pass.beside_loads_cycles);
  number(pass.interval_cycles);
  number(pass.precedence);
  number(pass.fill_cycles);
  number(pass.drain_cycles);
  number(pass.drain_interval_cycles);
  VisitTraffic(pass.traffic, number);
}

std::string Digest(const std::string& text) {
  return to_string(boost::uuids::name_generator_sha1(boost::uuids::ns::oid())(text));
}

}  // namespace

std::string WriteCtaCost(const CtaCost& cost) {
  std::string text = fmt::format("{}", cost.passes.size());
  const auto write = [&](const auto& field) { text += fmt::format(" {}", field); };
  for (const PassCost& pass : cost.passes) VisitPass(pass, write);
  VisitNumbers(cost, write);
  return text;
}

std::optional<CtaCost> ReadCtaCost(const std::string& text) {
  constexpr std::size_t kMostPasses = 64;
  std::istringstream stream(text);
  std::size_t passes = 0;
  if (!(stream >> passes) || passes > kMostPasses) return std::nullopt;
  CtaCost cost;
  cost.passes.resize(passes);
  const auto read = [&](auto& field) { stream >> field; };
  for (PassCost& pass : cost.passes) VisitPass(pass, read);
  VisitNumbers(cost, read);
  std::string more;
  if (!stream || stream >> more) return std::nullopt;
  return cost;
}

const CtaCost& RememberedCost(const GpuSpec& gpu, const GpuKernel& kernel,
                              std::int64_t co_resident) {
  static std::unordered_map<std::string, CtaCost> memory;
  static DiskStore disk(DiskStore::UsersPath(), kCostVersion);
  const std::string key = Digest(WriteSmYaml(gpu) + CtaCostKey(gpu, kernel, co_resident));
  const auto it = memory.find(key);
  if (it != memory.end()) return it->second;
  std::optional<CtaCost> cost;
  if (const auto text = disk.Find(key)) cost = ReadCtaCost(*text);
  if (cost && cost->passes.size() != kernel.passes.size()) cost.reset();
  if (!cost) {
    cost = MeasureCta(gpu, kernel, co_resident);
    disk.Keep(key, WriteCtaCost(*cost));
  }
  return memory.emplace(key, std::move(*cost)).first->second;
}

}  // namespace siliscope
