// SPDX-License-Identifier: Apache-2.0
#include "sim/config/cluster_loader.h"

#include <algorithm>
#include <filesystem>

#include "sim/config/astra_network.h"
#include "sim/config/config_folder.h"
#include "sim/config/named_file.h"
#include "sim/config/topology_fields.h"
#include "sim/config/tuner_loader.h"
#include "sim/config/yaml_reader.h"
#include "sim/core/error.h"
#include "sim/core/nearest_name.h"

namespace siliscope {
namespace {

bool IsIn(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void VisitProtocol(FieldVisitor& v, const char* key, Need need, CollectiveProtocolSpec& s) {
  if (!v.BeginSection(key, need, "a protocol of the library")) return;
  v.Integer("threads", s.threads, {32, 1024}, Need::kRequired, "of a channel's CTA");
  v.Real("wire_bytes_per_byte", s.wire_bytes_per_byte, Dimension::kPlain, {1, 16}, Need::kOptional,
         "flags that travel with the data");
  v.Bytes("step", s.step_bytes, {1, 1e12}, Need::kRequired,
          "data in one of the eight parts of a channel's buffer");
  v.Integer("chunk_steps", s.chunk_steps, {1, 4}, Need::kOptional,
            "parts of the buffer that a primitive moves; half of it, or ranks wait for each other");
  v.Integer("slice_steps", s.slice_steps, {1, 4}, Need::kOptional,
            "of these, that are posted at a time");
  v.Integer("chain_chunk_steps", s.chain_chunk_steps, {1, 4}, Need::kOptional,
            "as chunk_steps, of broadcast and reduce");
  v.Integer("chain_slice_steps", s.chain_slice_steps, {1, 4}, Need::kOptional,
            "as slice_steps, of broadcast and reduce");
  v.Real("bytes_per_cycle", s.bytes_per_cycle, Dimension::kBytesPerCycle, {1e-3, 1e6},
         Need::kRequired, "of a CTA onto the wire");
  v.Real("local_bytes_per_cycle", s.local_bytes_per_cycle, Dimension::kBytesPerCycle, {1e-3, 1e6},
         Need::kRequired, "of a CTA within its chip");
  v.Integer("channel_threshold", s.channel_threshold, {0, 1 << 30}, Need::kOptional,
            "bytes a thread, below which there are fewer channels");
  v.Real("tuner_share", s.tuner_share, Dimension::kPlain, {0.01, 1}, Need::kOptional,
         "of the bandwidth, that the tuner expects of the protocol");
  v.Real("tuner_base", s.tuner_base_s, Dimension::kTime, {0, 1}, Need::kRequired,
         "latency that the tuner expects");
  v.Real("tuner_hop", s.tuner_hop_s, Dimension::kTime, {0, 1}, Need::kRequired,
         "of each step, over NVLink");
  v.Real("tuner_pcie_hop", s.tuner_pcie_hop_s, Dimension::kTime, {0, 1}, Need::kRequired,
         "of each step, over PCIe");
  v.Real("tuner_net_hop", s.tuner_net_hop_s, Dimension::kTime, {0, 1}, Need::kOptional,
         "of each step between nodes");
  v.Real("tuner_tree_base", s.tuner_tree_base_s, Dimension::kTime, {0, 1}, Need::kOptional,
         "latency that the tuner expects of trees");
  v.Real("tuner_tree_hop", s.tuner_tree_hop_s, Dimension::kTime, {0, 1}, Need::kOptional,
         "of a tree's step within a node; 0 = the library has no trees");
  v.Real("tuner_tree_net_hop", s.tuner_tree_net_hop_s, Dimension::kTime, {0, 1}, Need::kOptional,
         "of a tree's step between nodes");
  v.Real("tuner_tree_node_share", s.tuner_tree_node_share, Dimension::kPlain, {0.01, 1},
         Need::kOptional, "as tuner_share, of trees within a node");
  v.Real("tuner_tree_share", s.tuner_tree_share, Dimension::kPlain, {0.01, 1}, Need::kOptional,
         "as tuner_share, of trees between nodes");
  v.EndSection();
}

void VisitTimes(FieldVisitor& v, ClusterTimesSpec& s) {
  const auto time = [&](const char* key, double& field, const char* meaning) {
    v.Real(key, field, Dimension::kTime, {0, 1}, Need::kOptional, meaning);
  };
  time("launch", s.launch_s, "from one call to the next, in a stream, where nothing is moved");
  time("skew", s.skew_s, "from the first CTA of a launch to the last of many");
  time("prologue", s.prologue_s, "before the first step of LL128 and Simple");
  time("group", s.group_s, "of a group of sends and receives");
  time("group_peer", s.group_peer_s, "for each peer of the group");
  time("ll_hop", s.ll_hop_s, "LL: from a line's arrival to the next step, links not counted");
  time("ll128_hop", s.ll128_hop_s, "LL128: the same");
  time("sync_hop", s.sync_hop_s, "Simple: fence, flag and poll, links not counted");
  time("slice", s.slice_s, "Simple: barriers of each slice");
}

/// Where a file is silent, buffers are as large as full rate needs: what is sent until the first of
/// it is acknowledged, and some packets.
void SizeBuffers(LinkSpec* link) {
  const double flits_per_s = link->bytes_per_s / static_cast<double>(link->flit_bytes);
  constexpr std::int64_t kPackets = 8;
  const std::int64_t enough = static_cast<std::int64_t>(2 * link->latency_s * flits_per_s) +
                              kPackets * (link->header_flits + link->data_flits);
  if (link->credits == 0) link->credits = enough;
  if (link->replay_packets == 0) link->replay_packets = enough;
}

CollectiveLibrarySpec LoadLibrary(const std::string& name, const std::string& place) {
  auto spec = LoadNamedFile("configs/hosts/collectives", name,
                            place + ": library: \"" + name + "\" is not a library",
                            &VisitCollectiveLibrary);
  if (!spec.tuner.name.empty()) spec.tuner = LoadTuner(spec.tuner.name, place);
  return spec;
}

}  // namespace

std::vector<std::string> ListClusters() { return NamesIn("configs/systems"); }
std::vector<std::string> ListLinkKinds() { return NamesIn("configs/links"); }
std::vector<std::string> ListCollectiveLibraries() { return NamesIn("configs/hosts/collectives"); }

void VisitCluster(FieldVisitor& v, ClusterFields& fields) {
  ClusterSpec& s = fields.spec;
  std::string kind = "cluster";
  v.Text("name", s.name, Need::kRequired, "the name of the system, as in the name of the file");
  v.Text("kind", kind, Need::kRequired, "cluster");
  v.Text("description", s.description, Need::kOptional, "one line for `siliscope list systems`");
  v.Text("chip", s.chip, Need::kRequired, "a file of configs/chips, or only a name");
  v.Real("chip_clock", s.chip_clock_hz, Dimension::kFrequency, {1e6, 1e11}, Need::kRequired,
         "of the SMs (or cores) that move data");
  v.Flag("reads_peers", s.reads_peers, Need::kOptional,
         "data is read by its receiver, not written by its sender");
  v.Integer("chips", fields.chips, {1, 65536}, Need::kRequired, "of a node");
  if (v.BeginSection("topology", Need::kRequired, "how they are connected")) {
    VisitTopology(v, fields.topology);
    v.EndSection();
  }
  v.Text("library", s.library.name, Need::kRequired, "a file of configs/hosts/collectives");
  if (v.BeginSection("times", Need::kOptional, "what host, driver and fabric decide")) {
    VisitTimes(v, s.times);
    v.EndSection();
  }
  if (v.BeginSection("tuner", Need::kRequired, "what the library believes of the machine")) {
    VisitTuner(v, s.tuner);
    v.EndSection();
  }
}

void VisitLinkKind(FieldVisitor& v, LinkSpec& s) {
  v.Text("name", s.name, Need::kRequired, "as in the name of the file");
  v.Text("description", s.description, Need::kOptional, "one line");
  v.Real("bandwidth", s.bytes_per_s, Dimension::kBandwidth, {1, 1e15}, Need::kRequired,
         "of one direction of one link, headers and responses counted");
  v.Bytes("flit", s.flit_bytes, {1, 4096}, Need::kOptional, "what is sent at a time");
  v.Integer("data_flits", s.data_flits, {1, 4096}, Need::kOptional, "a packet holds at most");
  v.Integer("header_flits", s.header_flits, {0, 64}, Need::kOptional,
            "of a packet, with address and check sum");
  v.Integer("address_flits", s.address_flits, {0, 64}, Need::kOptional,
            "of a message's first packet, the address in full");
  v.Integer("byte_enable_flits", s.byte_enable_flits, {0, 64}, Need::kOptional,
            "of a packet whose data doesn't fill its last flit");
  v.Integer("response_flits", s.response_flits, {0, 64}, Need::kOptional,
            "in the opposite direction, for each packet");
  v.Integer("request_flits", s.request_flits, {0, 64}, Need::kOptional,
            "of a read, in the opposite direction of its data");
  v.Bytes("store", s.store_bytes, {1, 65536}, Need::kOptional,
          "a packet's data where a processor stores");
  v.Bytes("copy", s.copy_bytes, {1, 65536}, Need::kOptional,
          "a packet's data where a copy engine moves");
  v.Real("latency", s.latency_s, Dimension::kTime, {0, 1}, Need::kOptional,
         "of a packet's first flit over the wire and its two ends");
  v.Integer("credits", s.credits, {0, 1 << 24}, Need::kOptional,
            "flits of the receiver's buffer, of each virtual channel; 0 = enough for a round trip");
  v.Integer("replay_packets", s.replay_packets, {0, 1 << 24}, Need::kOptional,
            "kept until they are acknowledged; 0 = enough for a round trip");
  v.Real("bit_error_rate", s.bit_error_rate, Dimension::kPlain, {0, 1e-3}, Need::kOptional,
         "of what the check sum sees, after forward error correction");
}

void VisitCollectiveLibrary(FieldVisitor& v, CollectiveLibrarySpec& s) {
  v.Text("name", s.name, Need::kRequired, "as in the name of the file");
  v.Text("description", s.description, Need::kOptional, "one line");
  VisitProtocol(v, "ll", Need::kOptional, s.ll);
  VisitProtocol(v, "ll128", Need::kOptional, s.ll128);
  VisitProtocol(v, "simple", Need::kRequired, s.simple);
  v.Text("tuner", s.tuner.name, Need::kOptional, "a file of configs/hosts/tuners");
  v.Bytes("least_slice", s.least_slice_bytes, {1, 1e9}, Need::kOptional, "Simple: of a slice");
  v.Integer("p2p_channels", s.p2p_channels, {1, 64}, Need::kOptional,
            "of sends and receives, at most");
  v.Bytes("p2p_chunk", s.p2p_chunk_bytes, {1, 1e12}, Need::kOptional,
          "that a receiver copies out at a time");
  v.Flag("p2p_parts_first", s.p2p_parts_first, Need::kOptional,
         "parts are made before the protocol is chosen");
  v.Bytes("p2p_ll", s.p2p_ll_bytes, {0, 1e12}, Need::kOptional,
          "most for LL: of a peer, or of a part where parts come first");
  v.Bytes("p2p_ll_part", s.p2p_ll_part_bytes, {0, 1e12}, Need::kOptional, "least part of LL");
  v.Bytes("p2p_part", s.p2p_part_bytes, {1, 1e12}, Need::kOptional, "least part of Simple");
  v.Bytes("p2p_most_part", s.p2p_most_part_bytes, {0, 1e15}, Need::kOptional,
          "largest part, beyond which a peer has more channels; 0 = any");
  v.Real("p2p_send_bytes_per_cycle", s.p2p_send_bytes_per_cycle, Dimension::kBytesPerCycle,
         {1e-3, 1e6}, Need::kRequired, "of the half of a CTA that sends");
  v.Real("p2p_read_bytes_per_cycle", s.p2p_read_bytes_per_cycle, Dimension::kBytesPerCycle,
         {1e-3, 1e6}, Need::kRequired, "the same, where receivers read their peers' memory");
  v.Real("p2p_drain_bytes_per_cycle", s.p2p_drain_bytes_per_cycle, Dimension::kBytesPerCycle,
         {1e-3, 1e6}, Need::kRequired, "of the half that copies out");
  v.Real("nvls_bytes_per_cycle", s.nvls_bytes_per_cycle, Dimension::kBytesPerCycle, {1e-3, 1e6},
         Need::kRequired, "of a CTA in each stage of an all-reduce in the switch");
  v.Real("nvls_stage", s.nvls_stage_s, Dimension::kTime, {0, 1}, Need::kRequired,
         "synchronisation of a stage");
}

namespace {

/// "network.yml,system.json": both of ASTRA-sim's files.
std::string FirstFile(const std::string& files) { return files.substr(0, files.find(',')); }
std::string SecondFile(const std::string& files) {
  const std::size_t comma = files.find(',');
  return comma == std::string::npos ? "" : files.substr(comma + 1);
}

}  // namespace

bool IsCluster(const std::string& name_or_file) {
  const std::string file = FirstFile(name_or_file);
  if (!LooksLikeFile(file)) return IsIn(ListClusters(), name_or_file);
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return false;
  const YamlDocument document = YamlDocument::FromFile(file);
  if (!document.root().IsMap()) return false;
  if (IsAstraNetwork(document)) return true;
  const YAML::Node kind = document.root()["kind"];
  return kind.IsDefined() && kind.IsScalar() && kind.Scalar() == "cluster";
}

LinkSpec LoadLinkKind(const std::string& name, const std::string& place) {
  LinkSpec spec = LoadNamedFile("configs/links", name,
                                place + ": \"" + name + "\" is not a kind of link", &VisitLinkKind);
  SizeBuffers(&spec);
  return spec;
}

ClusterSpec LoadCluster(const std::string& name_or_file, const std::vector<Override>& overrides) {
  const std::string file = FirstFile(name_or_file);
  if (LooksLikeFile(file)) {
    YamlDocument document = YamlDocument::FromFile(file);
    if (IsAstraNetwork(document)) {
      for (const Override& change : overrides) document.Set(change);
      return LoadAstraNetwork(document, SecondFile(name_or_file));
    }
    return ParseCluster(std::move(document), overrides);
  }
  const std::vector<std::string> names = ListClusters();
  if (!IsIn(names, name_or_file)) {
    throw UserError("unknown system \"" + name_or_file.substr(0, 80) + "\"" +
                    Suggestion(name_or_file, names));
  }
  return ParseCluster(
      YamlDocument::FromFile(RootFolder() + "/configs/systems/" + name_or_file + ".yaml"),
      overrides);
}

ClusterSpec ParseCluster(YamlDocument document, const std::vector<Override>& overrides) {
  for (const Override& change : overrides) document.Set(change);
  ClusterFields fields;
  ClusterSpec& spec = fields.spec;
  YamlReader reader(document, &spec.sources);
  VisitCluster(reader, fields);
  reader.Finish();
  spec.topology = BuildTopology(fields.topology, fields.chips, "chip", document.name());
  CheckTopology(spec.topology, document.name());
  spec.library = LoadLibrary(spec.library.name, document.name());
  ResolveTuner(spec.library.tuner, document.name(), &spec.tuner);
  spec.resolved_yaml = YAML::Dump(document.root()) + "\n";
  return std::move(fields.spec);
}

}  // namespace siliscope
