// SPDX-License-Identifier: Apache-2.0
// Chakra execution traces of what was run: trace.0.et, trace.1.et, ... and trace.groups.json.
#include <fmt/format.h>
#include <google/protobuf/util/delimited_message_util.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "sim/contract/execution_trace.h"
#include "sim/core/error.h"
#include "traces/chakra.pb.h"
#include "traces/chakra_format.h"

namespace siliscope {
namespace {

chakra::AttributeProto* AddAttribute(chakra::Node* node, const std::string& name) {
  chakra::AttributeProto* attribute = node->add_attr();
  attribute->set_name(name);
  return attribute;
}

void AddNumber(chakra::Node* node, const std::string& name, std::int64_t value) {
  AddAttribute(node, name)->set_int64_val(value);
}

/// The format counts an all-gather's part of a rank, we the whole.
std::int64_t SizeOf(const ExecutionNode& node, std::size_t ranks) {
  return node.op == "all_gather" ? node.bytes / static_cast<std::int64_t>(ranks) : node.bytes;
}

class RankTrace {
 public:
  RankTrace(const ExecutionGraph& graph, const ExecutionRecord& record, const std::string& path)
      : graph_(graph), record_(record), path_(path), file_(path, std::ios::binary) {
    chakra::GlobalMetadata metadata;
    metadata.set_version("0.0.4");
    Put(metadata);
  }

  void Write(std::uint32_t index) {
    const ExecutionNode& n = graph_.nodes[index];
    chakra::Node node;
    node.set_id(index);
    node.set_name(n.name);
    for (const std::uint32_t before : n.after) node.add_data_deps(before);
    const NodeTimes& t = record_.nodes[index];
    const auto micros = [](Tick time) { return (time + 500'000) / 1'000'000; };
    node.set_start_time_micros(micros(t.begin));
    AddAttribute(&node, "is_cpu_op")->set_bool_val(false);
    if (n.delay > 0) AddNumber(&node, kChakraDelay, static_cast<std::int64_t>(n.delay));
    switch (n.kind) {
      case ExecutionKind::kCompute:
        node.set_type(chakra::COMP_NODE);
        node.set_duration_micros(micros(n.duration));
        AddNumber(&node, kChakraPicoseconds, static_cast<std::int64_t>(n.duration));
        AddNumber(&node, "num_ops", static_cast<std::int64_t>(n.operations));
        AddNumber(&node, "tensor_size", n.bytes);
        break;
      case ExecutionKind::kCollective: {
        node.set_type(chakra::COMM_COLL_NODE);
        node.set_duration_micros(micros(t.end - t.begin));
        const auto* const type =
            std::find(kChakraCollectives.begin(), kChakraCollectives.end(), n.op);
        AddNumber(&node, "comm_type", type - kChakraCollectives.begin());
        const auto& group = graph_.groups[static_cast<std::size_t>(n.group)];
        AddNumber(&node, "comm_size", SizeOf(n, group.size()));
        // Group 0 is everybody.
        AddAttribute(&node, "pg_name")->set_string_val(std::to_string(n.group + 1));
        break;
      }
      case ExecutionKind::kSend:
      case ExecutionKind::kReceive: {
        const bool send = n.kind == ExecutionKind::kSend;
        node.set_type(send ? chakra::COMM_SEND_NODE : chakra::COMM_RECV_NODE);
        node.set_duration_micros(micros(t.end - t.begin));
        AddNumber(&node, "comm_src", send ? n.rank : n.peer);
        AddNumber(&node, "comm_dst", send ? n.peer : n.rank);
        AddNumber(&node, "comm_tag", n.tag);
        AddNumber(&node, "comm_size", n.bytes);
      }
    }
    Put(node);
  }

  void Close() {
    if (!file_.flush()) throw WriteError(path_ + ": can't be written");
  }

 private:
  void Put(const google::protobuf::MessageLite& message) {
    google::protobuf::util::SerializeDelimitedToOstream(message, &file_);
  }

  const ExecutionGraph& graph_;
  const ExecutionRecord& record_;
  std::string path_;
  std::ofstream file_;
};

class Writer : public ExecutionTraceWriter {
 public:
  std::vector<std::string> Write(const ClusterSpec&, const ExecutionGraph& graph,
                                 const ExecutionRecord& record, const TraceOptions&,
                                 const std::string& folder) const override {
    std::vector<std::string> names;
    for (std::int32_t rank = 0; rank < graph.ranks; ++rank) {
      names.push_back(fmt::format("trace.{}.et", rank));
      RankTrace trace(graph, record, folder + "/" + names.back());
      for (std::uint32_t n = 0; n < graph.nodes.size(); ++n) {
        if (graph.nodes[n].rank == rank) trace.Write(n);
      }
      trace.Close();
    }
    nlohmann::ordered_json groups = nlohmann::ordered_json::object();
    for (std::size_t g = 0; g < graph.groups.size(); ++g) {
      groups[std::to_string(g + 1)] = graph.groups[g];
    }
    const std::string path = ChakraGroupsFile(folder + "/trace");
    std::ofstream file(path);
    file << groups.dump() << "\n";
    if (!file.flush()) throw WriteError(path + ": can't be written");
    names.push_back("trace.groups.json");
    return names;
  }
};

const bool kRegistered =
    ExecutionTraceWriterRegistry::Instance().Add("chakra", []() -> const ExecutionTraceWriter* {
      static const Writer writer;
      return &writer;
    });

}  // namespace
}  // namespace siliscope
