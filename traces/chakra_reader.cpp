// SPDX-License-Identifier: Apache-2.0
// Chakra execution traces as ASTRA-sim reads them: a file a rank, PREFIX.0.et, PREFIX.1.et, ...;
// process groups from PREFIX.groups.json (ASTRA-sim's communicator groups). Streams: computations
// of a rank one after another, collectives of a group too, messages to or from a peer too, all in
// an order in which they can run.
#include <fmt/format.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/util/delimited_message_util.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <queue>

#include "sim/contract/execution_trace.h"
#include "sim/core/error.h"
#include "traces/chakra.pb.h"
#include "traces/chakra_attributes.h"
#include "traces/chakra_format.h"

namespace siliscope {
namespace {

/// PREFIX of PREFIX.0.et, or what was given.
std::string PrefixOf(const std::string& path) {
  const std::string end = ".0.et";
  const bool file =
      path.size() > end.size() && path.compare(path.size() - end.size(), end.size(), end) == 0;
  return file ? path.substr(0, path.size() - end.size()) : path;
}

/// Names are anything; the files of a run are text.
std::string Readable(std::string name) {
  constexpr std::size_t kMost = 200;
  if (name.size() > kMost) name.resize(kMost);
  for (char& c : name) {
    if (c < ' ' || c > '~') c = '?';
  }
  return name;
}

class Reader {
 public:
  Reader(std::string prefix, const Roofline& roofline)
      : prefix_(std::move(prefix)), roofline_(roofline) {}

  ExecutionGraph Read() {
    ReadGroups();
    graph_.workload = std::filesystem::path(prefix_).filename().string();
    for (; std::filesystem::exists(FileOf(graph_.ranks)); ++graph_.ranks) {
    }
    CheckRanksOfGroups();
    for (std::int32_t rank = 0; rank < graph_.ranks; ++rank) ReadRank(rank);
    if (graph_.nodes.empty()) throw UserError(FileOf(0) + ": no nodes");
    return std::move(graph_);
  }

 private:
  std::string FileOf(std::int32_t rank) const { return fmt::format("{}.{}.et", prefix_, rank); }

  void ReadGroups() {
    const std::string path = ChakraGroupsFile(prefix_);
    std::ifstream file(path);
    if (!file) return;
    const nlohmann::json json = nlohmann::json::parse(file, nullptr, false);
    if (!json.is_object()) throw UserError(path + ": not a JSON object of groups, {\"1\": [0, 1]}");
    for (const auto& [name, ranks] : json.items()) {
      std::vector<std::int32_t> members;
      for (const auto& rank : ranks) {
        if (!rank.is_number_unsigned() ||
            rank.get<std::uint64_t>() >= static_cast<std::uint64_t>(kMostRanks)) {
          throw UserError(fmt::format("{}: group {}: ranks are whole numbers", path, name));
        }
        members.push_back(rank.get<std::int32_t>());
        if (std::count(members.begin(), members.end(), members.back()) > 1) {
          throw UserError(
              fmt::format("{}: group {}: rank {} is in it twice", path, name, members.back()));
        }
      }
      if (members.empty()) {
        throw UserError(fmt::format("{}: group {} has no ranks", path, name));
      }
      group_of_[name] = static_cast<std::int32_t>(graph_.groups.size());
      graph_.groups.push_back(std::move(members));
    }
  }

  /// Files are counted until one is missing; groups may know of more.
  void CheckRanksOfGroups() const {
    for (const auto& [name, group] : group_of_) {
      const auto& ranks = graph_.groups[static_cast<std::size_t>(group)];
      const std::int32_t most = *std::max_element(ranks.begin(), ranks.end());
      if (most < graph_.ranks) continue;
      throw UserError(fmt::format("{}: no such file, but rank {} is in group {} of {}",
                                  FileOf(graph_.ranks), most, name, ChakraGroupsFile(prefix_)));
    }
  }

  std::vector<chakra::Node> ReadNodes(const std::string& path) const {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw UserError(path + ": can't be read");
    google::protobuf::io::IstreamInputStream stream(&file);
    const auto size = static_cast<std::int64_t>(std::filesystem::file_size(path));
    bool at_end = false;
    const auto fail = [&](std::size_t messages) {
      throw UserError(fmt::format(
          "{}: cut off or damaged after {} messages; a Chakra trace is length-delimited messages",
          path, messages));
    };
    chakra::GlobalMetadata metadata;
    if (!google::protobuf::util::ParseDelimitedFromZeroCopyStream(&metadata, &stream, &at_end)) {
      fail(0);
    }
    std::vector<chakra::Node> nodes;
    std::int64_t whole = stream.ByteCount();  // up to the end of the last message
    for (;;) {
      chakra::Node node;
      if (google::protobuf::util::ParseDelimitedFromZeroCopyStream(&node, &stream, &at_end)) {
        nodes.push_back(std::move(node));
        whole = stream.ByteCount();
        continue;
      }
      if (!at_end || whole != size) fail(nodes.size() + 1);
      return nodes;
    }
  }

  /// An order in which the nodes can run: what comes first in the file first.
  std::vector<std::size_t> OrderOf(const std::vector<chakra::Node>& nodes,
                                   const std::map<std::uint64_t, std::size_t>& by_id,
                                   const std::string& path) const {
    std::vector<std::vector<std::size_t>> next(nodes.size());
    std::vector<std::size_t> waits(nodes.size(), 0);
    for (std::size_t n = 0; n < nodes.size(); ++n) {
      for (const auto* deps : {&nodes[n].ctrl_deps(), &nodes[n].data_deps()}) {
        for (const std::uint64_t id : *deps) {
          const auto before = by_id.find(id);
          if (before == by_id.end()) {
            throw UserError(fmt::format("{}: node {} ({}) waits for node {}, which is not there",
                                        path, nodes[n].id(), Readable(nodes[n].name()), id));
          }
          next[before->second].push_back(n);
          ++waits[n];
        }
      }
    }
    std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
    for (std::size_t n = 0; n < nodes.size(); ++n) {
      if (waits[n] == 0) ready.push(n);
    }
    std::vector<std::size_t> order;
    while (!ready.empty()) {
      const std::size_t n = ready.top();
      ready.pop();
      order.push_back(n);
      for (const std::size_t follower : next[n]) {
        if (--waits[follower] == 0) ready.push(follower);
      }
    }
    if (order.size() == nodes.size()) return order;
    const auto stuck = std::find_if(waits.begin(), waits.end(), [](auto w) { return w > 0; });
    const chakra::Node& node = nodes[static_cast<std::size_t>(stuck - waits.begin())];
    throw UserError(fmt::format("{}: nodes wait for each other in a circle, node {} ({}) too", path,
                                node.id(), Readable(node.name())));
  }

  void ReadRank(std::int32_t rank) {
    const std::string path = FileOf(rank);
    const std::vector<chakra::Node> nodes = ReadNodes(path);
    std::map<std::uint64_t, std::size_t> by_id;
    for (std::size_t n = 0; n < nodes.size(); ++n) {
      if (!by_id.emplace(nodes[n].id(), n).second) {
        throw UserError(fmt::format("{}: two nodes have the number {}", path, nodes[n].id()));
      }
    }
    std::vector<std::uint32_t> place(nodes.size());
    for (const std::size_t n : OrderOf(nodes, by_id, path)) {
      place[n] = static_cast<std::uint32_t>(graph_.nodes.size());
      ExecutionNode node = NodeOf(nodes[n], rank, path);
      for (const auto* deps : {&nodes[n].ctrl_deps(), &nodes[n].data_deps()}) {
        for (const std::uint64_t id : *deps) node.after.push_back(place[by_id.at(id)]);
      }
      graph_.nodes.push_back(std::move(node));
    }
  }

  ExecutionNode NodeOf(const chakra::Node& from, std::int32_t rank, const std::string& path) {
    const ChakraAttributes attributes(
        from, fmt::format("{}: node {} ({})", path, from.id(), Readable(from.name())));
    ExecutionNode node;
    node.name = Readable(from.name());
    node.rank = rank;
    switch (from.type()) {
      case chakra::COMM_COLL_NODE:
        ReadCollective(attributes, &node);
        break;
      case chakra::COMM_SEND_NODE:
      case chakra::COMM_RECV_NODE: {
        const bool send = from.type() == chakra::COMM_SEND_NODE;
        node.kind = send ? ExecutionKind::kSend : ExecutionKind::kReceive;
        node.peer = static_cast<std::int32_t>(
            attributes.Within(send ? "comm_dst" : "comm_src", 0, kMostRanks - 1));
        node.tag = static_cast<std::int32_t>(
            attributes.Within("comm_tag", 0, std::numeric_limits<std::int32_t>::max(), 0));
        node.bytes = attributes.Within("comm_size", 1, kMostBytes);
        node.delay = static_cast<Tick>(
            attributes.Within(kChakraDelay, 0, static_cast<std::int64_t>(kMostPicoseconds), 0));
        node.stream = StreamOf({send ? "send" : "receive", node.peer});
        break;
      }
      case chakra::COMP_NODE:
      case chakra::MEM_LOAD_NODE:
      case chakra::MEM_STORE_NODE:
        ReadComputation(from, attributes, &node);
        break;
      case chakra::METADATA_NODE:  // says something of the trace; takes no time
        node.stream = StreamOf({"metadata", 0});
        break;
      default:
        throw UserError(fmt::format("{}: node {} ({}): type {} is none of Chakra's", path,
                                    from.id(), Readable(from.name()),
                                    static_cast<int>(from.type())));
    }
    return node;
  }

  void ReadCollective(const ChakraAttributes& attributes, ExecutionNode* node) {
    node->kind = ExecutionKind::kCollective;
    const std::int64_t type = attributes.Number("comm_type");
    const auto types = static_cast<std::int64_t>(kChakraCollectives.size());
    node->op = type >= 0 && type < types ? kChakraCollectives[static_cast<std::size_t>(type)] : "";
    if (node->op.empty()) {
      throw UserError(
          fmt::format("{}: comm_type {}: gather, scatter and unknown collectives are not run",
                      attributes.place(), type));
    }
    node->group = GroupOf(attributes.Text("pg_name"), attributes.place());
    const auto ranks =
        static_cast<std::int64_t>(graph_.groups[static_cast<std::size_t>(node->group)].size());
    const std::int64_t times = node->op == "all_gather" ? ranks : 1;
    node->bytes =
        node->op == "barrier" ? 1 : times * attributes.Within("comm_size", 1, kMostBytes / times);
    node->delay = static_cast<Tick>(
        attributes.Within(kChakraDelay, 0, static_cast<std::int64_t>(kMostPicoseconds), 0));
    node->stream = StreamOf({"collective", node->group});
  }

  void ReadComputation(const chakra::Node& from, const ChakraAttributes& attributes,
                       ExecutionNode* node) {
    node->stream = StreamOf({"compute", attributes.Number("is_cpu_op", 0)});
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
    node->operations = static_cast<double>(attributes.Within("num_ops", 0, kMost, 0));
    node->bytes = attributes.Within("tensor_size", 0, kMost, 0);
    constexpr std::uint64_t kPicosecondsOfMicro = 1'000'000;
    if (from.duration_micros() > kMostPicoseconds / kPicosecondsOfMicro) {
      throw UserError(fmt::format("{}: duration_micros {}: at most {}", attributes.place(),
                                  from.duration_micros(), kMostPicoseconds / kPicosecondsOfMicro));
    }
    node->duration = from.duration_micros() * kPicosecondsOfMicro;
    if (attributes.Has(kChakraPicoseconds)) {
      node->duration = static_cast<Tick>(
          attributes.Within(kChakraPicoseconds, 0, static_cast<std::int64_t>(kMostPicoseconds)));
      return;
    }
    if (node->duration > 0) return;
    double seconds = 0;
    if (roofline_.operations_per_s > 0) seconds = node->operations / roofline_.operations_per_s;
    if (roofline_.bytes_per_s > 0) {
      seconds = std::max(seconds, static_cast<double>(node->bytes) / roofline_.bytes_per_s);
    }
    if (seconds * 1e12 > static_cast<double>(kMostPicoseconds)) {
      throw UserError(attributes.place() + ": takes more than a day");
    }
    node->duration = static_cast<Tick>(std::llround(seconds * 1e12));
  }

  /// No name, or 0: everybody.
  std::int32_t GroupOf(const std::string& name, const std::string& of) {
    const auto known = group_of_.find(name);
    if (known != group_of_.end()) return known->second;
    if (!name.empty() && name != "0") {
      throw UserError(
          fmt::format("{}: process group {} is not in {}", of, name, ChakraGroupsFile(prefix_)));
    }
    std::vector<std::int32_t> all;
    for (std::int32_t r = 0; r < graph_.ranks; ++r) all.push_back(r);
    group_of_[""] = group_of_["0"] = static_cast<std::int32_t>(graph_.groups.size());
    graph_.groups.push_back(std::move(all));
    return group_of_[name];
  }

  std::int32_t StreamOf(const std::pair<std::string, std::int64_t>& what) {
    return streams_.emplace(what, static_cast<std::int32_t>(streams_.size())).first->second;
  }

  static constexpr std::int64_t kMostRanks = 65536;
  static constexpr std::int64_t kMostBytes = std::int64_t{1} << 40;
  static constexpr std::uint64_t kMostPicoseconds = 86'400'000'000'000'000;  // a day

  std::string prefix_;
  Roofline roofline_;
  ExecutionGraph graph_;
  std::map<std::string, std::int32_t> group_of_;
  std::map<std::pair<std::string, std::int64_t>, std::int32_t> streams_;
};

class ChakraReader : public ExecutionTraceReader {
 public:
  bool Recognises(const std::string& path) const override {
    return std::filesystem::exists(PrefixOf(path) + ".0.et");
  }
  ExecutionGraph Read(const std::string& path, const Roofline& roofline) const override {
    google::protobuf::SetLogHandler(nullptr);  // mistakes are told once, by us
    return Reader(PrefixOf(path), roofline).Read();
  }
};

const bool kRegistered =
    ExecutionTraceReaderRegistry::Instance().Add("chakra", []() -> const ExecutionTraceReader* {
      static const ChakraReader reader;
      return &reader;
    });

}  // namespace
}  // namespace siliscope
