// SPDX-License-Identifier: Apache-2.0
// siliscope explain: what a key, metric, cause, operator or error means, and where values come
// from.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "sim/cli/commands.h"
#include "sim/config/cluster_loader.h"
#include "sim/config/machine_loader.h"
#include "sim/config/schema_writer.h"
#include "sim/config/yaml_document.h"
#include "sim/core/error.h"
#include "sim/core/nearest_name.h"
#include "sim/run/metrics.h"

namespace siliscope {
namespace {

const std::vector<NamedText>& ExitCodes() {
  static const std::vector<NamedText> kCodes = {
      {"0", "done"},
      {"2", "the user's mistake: the message says where and what is allowed"},
      {"3", "some rows of a list failed; the others were written"},
      {"4",
       "the network does not fit the memory: a result, with what is missing and what would fit"},
      {"70", "our own fault, or a stuck simulation: please report it"},
      {"74", "a file could not be written"},
      {"130", "interrupted; nothing half-written is left"}};
  return kCodes;
}

/// Words of the field that a newcomer meets in the output.
const std::vector<NamedText>& Terms() {
  static const std::vector<NamedText> kTerms = {
      {"systolic array",
       "a grid of processing elements; rows of one operand stream through while the other stays, "
       "and "
       "each element multiplies, adds and passes on"},
      {"MAC", "multiply-accumulate: one multiplication and one addition, two operations"},
      {"TOPS", "10^12 operations a second; a multiply-accumulate counts as two"},
      {"util", "compute_util_pct: operations of the network a second / the chip's published peak"},
      {"batch", "samples (images, sequences, rows) that go through the network together"},
      {"sample", "one image, sequence or row of the batch"},
      {"roofline",
       "the limit min(peak, intensity x bandwidth); a point below it lost time to something else"},
      {"ridge",
       "operations a byte at which the roofline turns: below it memory sets the limit, above it "
       "the "
       "arrays do"},
      {"intensity",
       "arithmetic intensity: operations a byte moved; MAC/B counts multiply-accumulates"},
      {"tile", "a piece of an operator as large as the array, or what one command works on"},
      {"scratchpad", "on-chip memory that the compiler fills by copies; it is no cache"},
      {"bf16", "16-bit floating point with the exponent of fp32"},
      {"algbw", "bytes of a collective, as nccl-tests count them, over its time"},
      {"busbw",
       "algbw as the links see it: times 2 (n - 1) / n for an all-reduce of n ranks, (n - 1) / n "
       "for "
       "all-gather, reduce-scatter and all-to-all"},
      {"NVLS", "all-reduce in the switch, which adds what it reads from all chips and multicasts"},
      {"LL",
       "NCCL's protocol of 8-byte words with 4-byte flags beside 4 bytes of data: half of the "
       "wire, least latency"},
      {"LL128", "NCCL's protocol of lines of 128 bytes, 8 of which are a flag"},
      {"Simple", "NCCL's protocol of slices whose arrival is told by a flag after a fence"},
      {"channel", "a CTA on each rank of a collective, with its own ring and buffer"},
      {"flit", "what a link sends at a time: 16 bytes of NVLink"},
      {"tp", "tensor parallelism: ranks divide the weights of each product, by columns or by rows"},
      {"sp",
       "sequence parallelism: ranks of tp divide the tokens, too, where each token is on its own"},
      {"ep", "expert parallelism: ranks divide the experts, and each has other tokens"},
      {"pp", "pipeline parallelism: the layers in stages, each on other ranks"},
      {"microbatches", "parts of the batch that follow each other through the stages of pp"},
      {"weight",
       "of a collective beside others: its share of each link while others want it, too; without "
       "weights links serve first come, first served"},
      {"per_node", "of a collective: ranks of each node; else nodes are filled one after another"},
      {"late_rank", "of a collective: the rank that begins later than the others, by `late`"},
      {"late", "of a collective: by how much the late_rank begins later"},
      {"wait for data", "a channel's threads wait for what another rank sends"},
      {"wait for room", "a channel's threads wait until their peer has taken what they sent"},
      {"synchronisation",
       "fences, flags and barriers of a channel, or threads that wait for others"},
      {"wire", "a channel's threads wait for links that are full"},
      {"write", "a channel's threads write at their own rate"},
      {"local", "a channel's threads copy or add up within their chip"},
      {"hierarchical",
       "a collective along one dimension of the ranks after another: in nodes, then between them"},
      {"halving_doubling",
       "a collective of log2 n steps: with the rank at distance 1, 2, 4, ..., half as much in "
       "each"},
      {"pat", "parallel aggregated trees: log2 n steps, far ranks first with little data"},
      {"Chakra", "execution traces of many ranks (MLCommons), which ASTRA-sim reads"},
      {"geometric mean", "the n-th root of a product of n values: it treats ratios alike"}};
  return kTerms;
}

/// A chip of configs/chips.
bool ExplainSystem(const std::string& name, std::vector<std::string>* names) {
  const std::vector<std::string> machines = ListMachines();
  names->insert(names->end(), machines.begin(), machines.end());
  if (std::find(machines.begin(), machines.end(), name) == machines.end()) return false;
  const MachineSpec m = LoadMachine(name, {});
  const std::string units =
      m.kind == "gpu" ? fmt::format("{} SMs in {} GPCs", m.gpu.sms, m.gpu.gpcs)
      : m.kind == "cpu"
          ? fmt::format("{} core(s) with vectors of {} bits", m.cpu.cores,
                        8 * m.cpu.core.vector_bytes)
          : fmt::format("{} core(s) with {} systolic array(s) of {}x{} each", m.npu.cores,
                        m.npu.array.count, m.npu.array.rows, m.npu.array.columns);
  fmt::print("{} (chip): {}\n  {}, {:.4g} MHz\n", name, m.description, units, m.clock_hz / 1e6);
  for (const auto& [path, source] : m.sources) {
    fmt::print("  {}: {}\n", path.empty() ? "source" : path, source);
  }
  return true;
}

/// What a key of a YAML file means, where it is called so.
bool PrintKey(const KeyDocumentation& key, const char* file, const std::string& name,
              std::vector<std::string>* names) {
  names->push_back(key.path);
  const std::size_t dot = key.path.rfind('.');
  const std::string last = dot == std::string::npos ? key.path : key.path.substr(dot + 1);
  if (key.path != name && last != name) return false;
  fmt::print("{} (key of {}{}): {}\n  value: {}{}\n", key.path, file,
             key.required ? ", required" : "", key.meaning, key.type,
             key.allowed.empty() ? "" : "; allowed: " + key.allowed);
  return true;
}

/// A system of configs/systems, or a key of such a file or of a kind of link.
bool ExplainCluster(const std::string& name, std::vector<std::string>* names) {
  bool found = false;
  for (const KeyDocumentation& key : SystemKeys()) {
    found = PrintKey(key, "a system of several chips, or of a kind of link", name, names) || found;
  }
  const std::vector<std::string> clusters = ListClusters();
  names->insert(names->end(), clusters.begin(), clusters.end());
  if (std::find(clusters.begin(), clusters.end(), name) == clusters.end()) return found;
  const ClusterSpec c = LoadCluster(name, {});
  fmt::print("{} (system): {}\n  {} chips {}, library {}\n", name, c.description, c.topology.chips,
             c.chip, c.library.name);
  for (const LinkSpec& kind : c.topology.kinds) {
    fmt::print("  {}: {}, {:.4g} GB/s a link and direction\n", kind.name, kind.description,
               kind.bytes_per_s / 1e9);
  }
  for (const auto& [path, source] : c.sources) {
    fmt::print("  {}: {}\n", path.empty() ? "source" : path, source);
  }
  return true;
}

/// A column of the result files, or a timing of a memory device.
bool ExplainColumn(const std::string& name, std::vector<std::string>* names) {
  bool found = false;
  const YamlDocument columns =
      YamlDocument::FromFile(RootFolder() + "/configs/schema/columns.yaml");
  for (const auto& file : columns.root()) {
    for (const auto& column : file.second) {
      names->push_back(column.first.Scalar());
      if (column.first.Scalar() != name) continue;
      fmt::print("{} (of {}): {}\n", name, file.first.Scalar(), column.second.Scalar());
      found = true;
    }
  }
  const auto memory = MemorySchema();
  for (const auto& [key, schema] : memory["properties"].items()) {
    names->push_back(key);
    if (key != name) continue;
    fmt::print("{} (key of a memory device): {}\n", key,
               schema.value("description", std::string()));
    found = true;
  }
  return found;
}

std::string Lowered(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool ExplainKey(const std::string& name, std::vector<std::string>* names) {
  bool found = false;
  for (const KeyDocumentation& key : ChipKeys()) {
    if (!PrintKey(key, "a chip file", name, names)) continue;
    found = true;
    int shown = 0;
    for (const std::string& machine : ListMachines()) {
      const MachineSpec spec = LoadMachine(machine, {});
      // A section's source is that of its keys, where they have none of their own.
      auto source = spec.sources.find(key.path);
      for (std::size_t end = key.path.rfind('.');
           source == spec.sources.end() && end != std::string::npos && end > 0;
           end = key.path.rfind('.', end - 1)) {
        source = spec.sources.find(key.path.substr(0, end));
      }
      if (source == spec.sources.end() || shown++ >= 6) continue;
      fmt::print("  {}: {}\n", machine, source->second);
    }
  }
  return found;
}

/// What a cause is called and means differs from kind to kind of chip.
bool ExplainCause(const std::string& name, std::vector<std::string>* names) {
  std::vector<std::string> told;
  for (std::size_t c = 0; c < kCauses; ++c) {
    const auto cause = static_cast<Cause>(c);
    names->emplace_back(CauseName(cause));
    for (const char* kind : {"npu", "gpu", "cpu"}) {
      const std::string words(CauseWords(cause, kind)), meaning(CauseMeaning(cause, kind));
      names->push_back(words);
      const bool again = std::find(told.begin(), told.end(), meaning) != told.end();
      if ((CauseName(cause) != name && words != name) || again) continue;
      fmt::print("{} ({}_us, {}_pct; where a unit's time goes): {}\n", words, CauseName(cause),
                 CauseName(cause), meaning);
      told.push_back(meaning);
    }
  }
  return !told.empty();
}

}  // namespace

void Explain(const std::string& name) {
  std::vector<std::string> names;
  bool found = ExplainKey(name, &names);
  for (const MetricMeaning& metric : MetricMeanings()) {
    names.push_back(metric.name);
    if (metric.name != name) continue;
    fmt::print("{} (metric): {}\n", metric.name, metric.meaning);
    found = true;
  }
  found = ExplainCause(name, &names) || found;
  for (const NamedText& op :
       (*CompilerRegistry::Instance().Get("compiler", "network")()).ListOperators()) {
    names.push_back(op.name);
    if (op.name != name) continue;
    fmt::print("{} (operator): {}\n", op.name, op.text);
    found = true;
  }
  for (const NamedText& code : ExitCodes()) {
    if (code.name != name) continue;
    fmt::print("{} (exit code): {}\n", code.name, code.text);
    found = true;
  }
  for (const NamedText& term : Terms()) {
    names.push_back(term.name);
    if (Lowered(term.name) != Lowered(name)) continue;
    fmt::print("{}: {}\n", term.name, term.text);
    found = true;
  }
  found = ExplainColumn(name, &names) || found;
  found = ExplainSystem(name, &names) || found;
  found = ExplainCluster(name, &names) || found;
  if (!found) {
    throw UserError(
        "nothing is called \"" + name.substr(0, 80) + "\"" +
        (NearestName(name, names).empty()
             ? "; keys of chip files, chips, metrics, causes, operators, terms and exit codes are "
               "explained"
             : Suggestion(name, names)));
  }
}

}  // namespace siliscope
