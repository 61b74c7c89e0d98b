// SPDX-License-Identifier: Apache-2.0
#include "sim/cli/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>
#include <systemc>

#include "sim/cli/commands.h"
#include "sim/core/error.h"
#include "sim/core/nearest_name.h"
#include "sim/run/output_folder.h"
#include "sim/run/worker_pool.h"

namespace siliscope {
namespace {

std::string& MutableCommandText() {
  static std::string text;
  return text;
}

/// Words of the command without `--out DIR`, so that the same run gives the same files anywhere.
void KeepCommandText(int argc, char** argv) {
  std::string text = "siliscope";
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--out") {
      ++i;
    } else if (word.rfind("--out=", 0) != 0) {
      const bool plain = word.find_first_of(" \t\n\"'$&;|<>()*?[]#~\\") == std::string::npos;
      text += plain && !word.empty() ? " " + word : " '" + word + "'";
    }
  }
  for (char& c : text) {
    if (c == '\n') c = ' ';
  }
  MutableCommandText() = text;
}

extern "C" void OnInterrupt(int) {
  // Half-written results go away; nothing else was touched.
  KillWorkers();
  RemoveStagedFolders();
  std::_Exit(static_cast<int>(ExitCode::kInterrupted));
}

int Report(const std::exception& error, ExitCode code) {
  std::fflush(stdout);
  std::string line = error.what();  // names come from files: one line, whatever they hold
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  std::fprintf(stderr, "siliscope: %s\n", line.c_str());
  return static_cast<int>(code);
}

using Words = std::vector<std::string>;

void AddWorkloadOptions(CLI::App& command, WorkloadOptions* options) {
  command.add_option("--batch", options->request.batch, "images, sequences or rows at a time")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 24));
  command.add_option("--seq", options->request.sequence, "length of symbolic sequence dimensions")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 24));
  command.add_option("--dtype", options->request.dtype,
                     "data type to run in (int8, bf16, int8xint16 = weights x activations)");
  command.add_option("--dim", options->dimensions, "value of a symbolic dimension, name=N");
}

void AddRunCommand(CLI::App& app) {
  auto o = std::make_shared<RunOptions>();
  CLI::App* run = app.add_subcommand("run", "run a network on a system");
  run->add_option("--system", o->system,
                  "a system of `siliscope list systems`, or a YAML file (ASTRA-sim's: "
                  "network.yml,system.json)")
      ->required();
  run->add_option(
         "--workload", o->workload.request.workload,
         "a network of `siliscope list workloads`, an ONNX file or an operator, "
         "gemm:m=64;n=64;k=64; "
         "on several chips a collective, all_reduce:bytes=64MiB, or a Chakra trace, PREFIX.0.et")
      ->required();
  AddWorkloadOptions(*run, &o->workload);
  run->add_option("--set", o->set, "change a value of the system, key=value");
  run->add_option("--ideal", o->ideal,
                  "take a resource's cost away (dram, launch, vector, links, ...)");
  run->add_option("--out", o->out, "folder for the results");
  run->add_option("--trace", o->trace, "trace format")
      ->check(CLI::IsMember(Words{"chrome", "chakra", "none"}));
  run->add_option("--trace-time", o->trace_time, "unit of the trace's timestamps")
      ->check(CLI::IsMember(Words{"ns", "cycles"}));
  run->add_option("--trace-window", o->trace_window, "only this time, such as 10us:20us");
  run->add_option("--trace-units", o->trace_units, "only units whose names begin so, a,b,c");
  run->add_option("--zoom", o->zoom,
                  "units at cycle zoom: core0.array0, dram, sms, links, ... (a,b,c)");
  run->add_option("--zoom-op", o->zoom_operators,
                  "operators whose tiles the arrays run at cycle zoom, a,b,c");
  run->add_option("--host", o->host,
                  "framework that launches the kernels of a GPU: one of `siliscope list hosts`");
  run->add_option(
      "--kernel", o->workload.request.kernel,
      "kernel that matrix products take on a GPU, by a name with its tile: gemm_128x64");
  run->add_option("--streams", o->workload.request.streams,
                  "streams of a GPU, on which operators run side by side that don't wait for each "
                  "other")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{128}));
  run->add_flag("--host-copies", o->workload.request.host_copies,
                "inputs come from the host's memory and outputs go there, by a GPU's copy engines");
  run->add_option("--launch", o->workload.request.launch,
                  "how kernels of a GPU follow each other, without a host")
      ->check(CLI::IsMember(Words{"graph", "kernel", "stream"}));
  run->add_option("--lock-clock", o->lock_clock, "clock of a GPU, past its power limit: 1.41GHz");
  run->add_flag("--autotune", o->autotune,
                "GPU: simulate the best few kernels of each product and take the fastest");
  run->add_flag("--cold", o->cold, "CPU: nothing is in the caches when the run begins");
  run->add_flag("--vcd", o->vcd, "write the signals of the zoomed units to waveform.vcd");
  run->add_option("--parallel", o->parallel,
                  "several chips: how a network is divided: tp=4,sp=on,ep=2,pp=2,microbatches=8 "
                  "(`siliscope explain tp` and so on)");
  run->add_flag("--no-symmetry", o->no_symmetry,
                "several chips: play each rank, also those that do the same at the same times");
  run->add_flag("--no-advice", o->no_advice, "do not simulate what would help");
  run->callback([o] { RunNetwork(*o); });
}

void AddCompareCommand(CLI::App& app, int* exit_code) {
  auto o = std::make_shared<CompareOptions>();
  CLI::App* compare = app.add_subcommand("compare", "run networks on systems and compare");
  compare->add_option("--systems", o->systems, "systems, a,b,c")->required();
  compare->add_option("--workloads", o->workloads, "workloads, x,y,z")->required();
  AddWorkloadOptions(*compare, &o->workload);
  compare->add_option("--set", o->set, "change a value of every system, key=value");
  compare->add_option("--out", o->out, "folder for the results");
  compare->callback([o, exit_code] { *exit_code = Compare(*o); });
}

void AddCollectivesCommand(CLI::App& app) {
  auto o = std::make_shared<CollectivesOptions>();
  CLI::App* c = app.add_subcommand("collectives", "a collective by size, as nccl-tests print it");
  c->add_option("--system", o->system, "a system of several chips, or a YAML file")->required();
  c->add_option("--op", o->operation, "all_reduce, all_gather, reduce_scatter, all_to_all, ...");
  c->add_option("--ranks", o->ranks, "chips that take part; all where it is not given")
      ->check(CLI::Range(std::int64_t{2}, std::int64_t{1} << 20));
  c->add_option("--per-node", o->per_node, "ranks of each node; nodes are filled where not given")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20));
  c->add_option("--from", o->from, "smallest size, such as 512B");
  c->add_option("--to", o->to, "largest size; each is twice the one before");
  c->add_option("--algo", o->algorithm, "ring, tree, nvls, ...; else as the library chooses");
  c->add_option("--protocol", o->protocol, "ll, ll128 or simple; else as the library chooses");
  c->add_option("--set", o->set, "change a value of the system, key=value");
  c->add_option("--out", o->out, "folder for the results");
  c->callback([o] { Collectives(*o); });
}

void AddOperatorCommands(CLI::App& app, int* exit_code) {
  const std::vector<std::string> kernels = {"choice", "source"};
  auto o = std::make_shared<OpsOptions>();
  CLI::App* ops = app.add_subcommand("ops", "run operators one by one, each alone on its chip");
  ops->add_option("list", o->list, "CSV: id,chip,op,dtype,shape,launch")->required();
  ops->add_option("--out", o->out, "CSV file for the results");
  ops->add_option("--set", o->set, "change a value of every chip, key=value");
  ops->add_option("--ideal", o->ideal, "take a resource's cost away");
  ops->add_option("--kernel-from", o->kernel_from, "choice = our own, source = as the row names it")
      ->check(CLI::IsMember(kernels));
  ops->callback([o, exit_code] { *exit_code = Ops(*o); });
  auto v = std::make_shared<ValidateOptions>();
  CLI::App* validate =
      app.add_subcommand("validate", "run operators and compare with measurements");
  validate->add_option("files", v->files, "CSV: an operator list with measured_us")->required();
  validate->add_option("--out", v->out, "folder for rows.csv and summary.csv");
  validate->add_option("--set", v->set, "change a value of every chip, key=value");
  validate->add_option("--kernel-from", v->kernel_from, "choice or source")
      ->check(CLI::IsMember(kernels));
  validate->callback([v, exit_code] { *exit_code = Validate(*v); });
}

void AddFiguresCommand(CLI::App& app, int* exit_code) {
  auto o = std::make_shared<FiguresOptions>();
  CLI::App* figures = app.add_subcommand("figures", "draw course figures, or those of results");
  figures->add_option("ids", o->ids, "figures of `siliscope list figures`; none = all");
  figures->add_option("--of", o->of, "draw the figures of this folder of results instead");
  figures->add_option("--out", o->out, "folder for PNG, SVG and the CSV beside them");
  figures->callback([o, exit_code] { *exit_code = Figures(*o); });
}

void AddListCommand(CLI::App& app) {
  auto what = std::make_shared<std::string>();
  CLI::App* list = app.add_subcommand("list", "what there is");
  list->add_option("what", *what, "systems, workloads, operators, figures, passes or hosts")
      ->required()
      ->check(
          CLI::IsMember(Words{"systems", "workloads", "operators", "figures", "passes", "hosts"}));
  list->callback([what] { List(*what); });
}

void AddExplainCommand(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  CLI::App* explain = app.add_subcommand(
      "explain", "what a key, metric, cause, operator or exit code means, with unit and sources");
  explain
      ->add_option("name", *name,
                   "array.rows, tpu-v1, array_util_pct, \"tile edges\", conv, ridge, 4, ...")
      ->required();
  explain->callback([name] { Explain(*name); });
}

void AddCheckCommand(CLI::App& app, int* exit_code) {
  auto o = std::make_shared<CheckOptions>();
  CLI::App* check = app.add_subcommand("check", "validate YAML or ONNX files without running");
  check
      ->add_option("files", o->files,
                   "YAML of chips or memories, ONNX files, or names of systems and workloads")
      ->required();
  AddWorkloadOptions(*check, &o->workload);
  check->add_flag("--print", o->print, "print the network in the readable text form");
  check->callback([o, exit_code] { *exit_code = Check(*o); });
}

void AddSchemaCommand(CLI::App& app) {
  auto what = std::make_shared<std::string>("chip");
  CLI::App* schema = app.add_subcommand("schema", "print the JSON Schema of a kind of YAML file");
  schema->add_option("kind", *what, "chip, host, memory, system, link, collectives or tuner")
      ->check(
          CLI::IsMember(Words{"chip", "host", "memory", "system", "link", "collectives", "tuner"}));
  schema->callback([what] { PrintSchema(*what); });
}

void AddWavefrontCommand(CLI::App& app) {
  auto o = std::make_shared<WavefrontOptions>();
  CLI::App* wavefront =
      app.add_subcommand("wavefront", "a small product on one array, cycle by cycle, as JSON");
  wavefront->add_option("--system", o->system, "a chip with a small array, such as systolic-3x3")
      ->required();
  wavefront->add_option("--set", o->set, "change a value of the system, key=value");
  const auto size = CLI::Range(std::int64_t{1}, std::int64_t{512});
  wavefront->add_option("--m", o->m, "rows of the product")->check(size);
  wavefront->add_option("--k", o->k, "contraction")->check(size);
  wavefront->add_option("--n", o->n, "columns of the product")->check(size);
  wavefront->add_option("--vcd", o->vcd, "also write a waveform to this file");
  wavefront->callback([o] { Wavefront(*o); });
}

void AddLinkCommand(CLI::App& app) {
  auto o = std::make_shared<LinkOptions>();
  CLI::App* link = app.add_subcommand("link", "one link under a load, flit by flit, as JSON");
  link->add_option("--kind", o->kind, "a file of configs/links, such as nvlink1")->required();
  link->add_option("--bytes", o->bytes, "data of each direction that carries some");
  link->add_option("--packet", o->packet_bytes, "data of a packet; else what processors store")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{65536}));
  link->add_flag("--both", o->both, "both directions carry data");
  link->add_flag("--reads", o->reads, "data is read from the far end, not written to it");
  link->add_option("--credits", o->credits, "flits of the receiver's buffer")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20));
  link->add_option("--bit-error-rate", o->bit_error_rate, "packets with wrong bits are replayed")
      ->check(CLI::Range(0.0, 1e-3));
  link->add_option("--seed", o->seed, "of the errors");
  link->add_option("--vcd", o->vcd, "also write a waveform to this file");
  link->callback([o] { Link(*o); });
}

void AddImportTopologyCommand(CLI::App& app) {
  auto o = std::make_shared<ImportTopologyOptions>();
  CLI::App* c = app.add_subcommand(
      "import-topology", "a system's file from `nvidia-smi topo -m` or NCCL's topology XML");
  c->add_option("file", o->file, "the text or XML")->required();
  c->add_option("--out", o->out, "YAML file of the system");
  c->add_option("--chip", o->chip, "its chips: a file of configs/chips, or any name");
  c->add_option("--link", o->link, "the kind of its NVLinks");
  c->add_option("--host-link", o->host_link, "the kind of its PCIe links");
  c->add_option("--like", o->like, "system whose library, times and tuner it takes");
  c->callback([o] { ImportTopology(*o); });
}

void AddStoreCommand(CLI::App& app) {
  auto* command = app.add_subcommand("store", "costs of tiles that are kept for later runs");
  const auto clear = std::make_shared<bool>(false);
  command->add_flag("--clear", *clear, "empties the store");
  command->callback([clear] { ShowStore(*clear); });
}

void AddMeasureCommand(CLI::App& app) {
  auto* command =
      app.add_subcommand("measure-cpu", "measures this machine, and writes a chip and rows of it");
  const auto out = std::make_shared<std::string>("measured");
  command->add_option("--out", *out, "folder of results");
  command->callback([out] { MeasureCpu(*out); });
}

/// The word of a command line that is no command or option, with the nearest that is; or "".
std::string MistakenWord(const CLI::App& app, int argc, char** argv) {
  if (argc < 2) return "";
  std::vector<std::string> commands;
  for (const CLI::App* command : app.get_subcommands({})) commands.push_back(command->get_name());
  const std::string first = argv[1];
  if (first.empty() || first[0] == '-') return "";
  if (std::find(commands.begin(), commands.end(), first) == commands.end()) {
    return "unknown command \"" + first + "\"" + Suggestion(first, commands);
  }
  std::vector<std::string> options;
  for (const CLI::Option* option : app.get_subcommand(first)->get_options()) {
    for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
  }
  for (int i = 2; i < argc; ++i) {
    const std::string word = std::string(argv[i]).substr(0, std::string(argv[i]).find('='));
    if (word.rfind("--", 0) != 0) continue;
    if (std::find(options.begin(), options.end(), word) == options.end()) {
      return fmt::format("{}: unknown option {}{}", first, word, Suggestion(word, options));
    }
  }
  return "";
}

}  // namespace

const std::string& CommandText() { return MutableCommandText(); }

int RunCommandLine(int argc, char** argv) {
  KeepCommandText(argc, argv);
  std::signal(SIGINT, &OnInterrupt);
  std::signal(SIGTERM, &OnInterrupt);
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app{"Siliscope: what does this chip do with this network, and why?"};
  app.name("siliscope");
  app.set_version_flag("--version", SILISCOPE_VERSION);
  app.require_subcommand(1);
  int exit_code = 0;
  AddRunCommand(app);
  AddCompareCommand(app, &exit_code);
  AddCollectivesCommand(app);
  AddOperatorCommands(app, &exit_code);
  AddFiguresCommand(app, &exit_code);
  AddListCommand(app);
  AddExplainCommand(app);
  AddCheckCommand(app, &exit_code);
  AddSchemaCommand(app);
  AddWavefrontCommand(app);
  AddLinkCommand(app);
  AddImportTopologyCommand(app);
  AddStoreCommand(app);
  AddMeasureCommand(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    const std::string mistake = MistakenWord(app, argc, argv);
    std::fprintf(stderr, "siliscope: %s (siliscope --help lists commands and options)\n",
                 mistake.empty() ? e.what() : mistake.c_str());
    return static_cast<int>(ExitCode::kUserMistake);
  } catch (const Error& e) {
    return Report(e, e.code());
  } catch (const sc_core::sc_report& e) {
    return Report(e, ExitCode::kOurFault);
  } catch (const std::bad_alloc& e) {
    std::fprintf(stderr, "siliscope: out of memory\n");
    return static_cast<int>(ExitCode::kOurFault);
  } catch (const std::exception& e) {
    return Report(e, ExitCode::kOurFault);
  }
  return exit_code;
}

}  // namespace siliscope
