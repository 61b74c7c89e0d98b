// SPDX-License-Identifier: Apache-2.0
// The subcommands of the program, one file each, and what they can be told. How that is written on
// the command line is in command_line.cpp alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/contract/compiler.h"

namespace siliscope {

/// The command as typed, without its output folder: what run.yaml keeps.
const std::string& CommandText();

/// Options that several subcommands share.
struct WorkloadOptions {
  WorkloadRequest request;
  std::vector<std::string> dimensions;  ///< name=N
};

struct RunOptions {
  std::string system;
  WorkloadOptions workload;
  std::string out = "out";
  std::vector<std::string> set, ideal;
  std::string trace = "chrome", trace_time = "ns", trace_window, trace_units;
  std::string zoom, zoom_operators, host, lock_clock;
  bool vcd = false;
  bool autotune = false;
  bool cold = false;
  bool no_advice = false;
  bool no_symmetry = false;
  std::string parallel;
};

struct CompareOptions {
  std::string systems, workloads;
  WorkloadOptions workload;
  std::vector<std::string> set;
  std::string out = "out";
};

struct CollectivesOptions {
  std::string system, operation = "all_reduce";
  std::int64_t ranks = 0, per_node = 0;
  std::string from = "512 B", to = "512 MiB", algorithm, protocol;
  std::vector<std::string> set;
  std::string out = "out";
};

struct OpsOptions {
  std::string list;
  std::string out = "ops.csv";
  std::vector<std::string> set, ideal;
  std::string kernel_from = "choice";
};

struct ValidateOptions {
  std::vector<std::string> files;
  std::string out = "out";
  std::vector<std::string> set;
  std::string kernel_from = "choice";
};

struct FiguresOptions {
  std::vector<std::string> ids;
  std::string out = "figures";
  std::string of;
};

struct CheckOptions {
  std::vector<std::string> files;
  WorkloadOptions workload;
  bool print = false;
};

struct WavefrontOptions {
  std::string system;
  std::vector<std::string> set;
  std::int64_t m = 3, k = 3, n = 3;
  std::string vcd;
};

struct ImportTopologyOptions {
  std::string file, out = "system.yaml", chip = "chip", link = "nvlink4", host_link = "pcie4-x16";
  std::string like = "dgx-h100";
};

struct LinkOptions {
  std::string kind, bytes = "64 KiB", vcd;
  std::int64_t packet_bytes = 0, credits = 0;
  bool both = false, reads = false;
  double bit_error_rate = -1;
  std::uint64_t seed = 1;
};

// Each runs a subcommand; those that can end with another exit code than 0 return it. They throw
// UserError and the other errors of sim/core/error.h.
void RunNetwork(const RunOptions& o);
int Compare(const CompareOptions& o);
void Collectives(const CollectivesOptions& o);
int Ops(const OpsOptions& o);
int Validate(const ValidateOptions& o);
int Figures(const FiguresOptions& o);
void List(const std::string& what);
void Explain(const std::string& name);
int Check(const CheckOptions& o);
void PrintSchema(const std::string& kind);
void Wavefront(const WavefrontOptions& o);
void Link(const LinkOptions& o);
void ImportTopology(const ImportTopologyOptions& o);
void ShowStore(bool clear);
void MeasureCpu(const std::string& out);

}  // namespace siliscope
