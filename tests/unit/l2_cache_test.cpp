// SPDX-License-Identifier: Apache-2.0
// The second-level cache alone, before a memory that counts what it is asked for.
#include "models/gpu/l2_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "sim/config/machine_loader.h"

namespace siliscope {
namespace {

const char* const kA100 = "a100-sxm-80gb";
const char* const kV100 = "v100-sxm2-16gb";
constexpr std::int64_t kMiB = 1 << 20;

/// Answers at once; keeps how often each 32 bytes were read and written.
class Ledger : public sc_core::sc_module, public MemoryPort {
 public:
  sc_core::sc_export<MemoryPort> port{"port"};
  std::map<std::int64_t, int> reads, writes;
  std::int64_t read_bytes = 0, written_bytes = 0;

  explicit Ledger(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {
    port.bind(*this);
  }
  void Request(const MemoryRequest& r, MemoryClient& client, std::uint64_t tag) override {
    (r.write ? written_bytes : read_bytes) += r.bytes;
    for (std::int64_t at = 0; at < r.bytes; at += 32) ++(r.write ? writes : reads)[r.address + at];
    client.Respond(tag, {r.when, r.when, 0});
  }
  Tick IdleLatency() const override { return 0; }

  static int Most(const std::map<std::int64_t, int>& counts) {
    int most = 0;
    for (const auto& [address, n] : counts) most = std::max(most, n);
    return most;
  }
};

/// An L2 with one tensor of `bytes`, in rows of 4 KiB.
struct Bench {
  static constexpr std::int64_t kRow = 4096;
  MachineSpec machine;
  Clock clock;
  GpuProgram program;
  Ledger ledger{"ledger"};
  std::unique_ptr<L2Cache> l2;
  Tick now = 0;

  Bench(const char* chip, std::int64_t bytes)
      : machine(LoadMachine(chip, {})), clock(machine.clock_hz) {
    GpuTensor tensor;
    tensor.address = kMiB;
    tensor.rows = bytes / kRow;
    tensor.row_bytes = kRow;
    program.tensors = {tensor};
    l2 = std::make_unique<L2Cache>("l2", machine.gpu.l2, clock, program, 512);
    l2->memory(ledger.port);
    sc_core::sc_start(sc_core::SC_ZERO_TIME);  // binds the ports
  }
  /// Cycles until the first data, of `bytes` of a row.
  double Access(std::int64_t row, std::int64_t byte, std::int64_t bytes, bool write,
                std::size_t partition = 0) {
    now += clock.Cycles(std::uint64_t{10000});  // nothing queues
    L2Request request;
    request.asked = request.when = now;
    request.rectangle = {row, 1, byte, bytes};
    request.partition = partition;
    request.write = write;
    const L2Response response = l2->Access(request);
    const Tick first = write ? response.first : response.first_data;
    return static_cast<double>(first - now) / static_cast<double>(clock.Cycles(std::uint64_t{1}));
  }
  /// All of the tensor, by SMs of both partitions in turn where there are two.
  void Sweep(bool write) {
    const auto partitions = static_cast<std::size_t>(machine.gpu.l2.partitions);
    for (std::int64_t row = 0; row < program.tensors[0].rows; ++row) {
      Access(row, 0, kRow, write, static_cast<std::size_t>(row) % partitions);
    }
  }
};

void WriteThreeTimes(const char* chip) {
  Bench bench(chip, 2 * kMiB);
  for (int i = 0; i < 3; ++i) bench.Sweep(true);
  EXPECT_EQ(bench.ledger.written_bytes, 0) << "it fits";
  EXPECT_EQ(bench.ledger.read_bytes, 0) << "whole lines are written: none has to come";
  bench.l2->Evict(0, bench.now);
  EXPECT_EQ(bench.ledger.written_bytes, 2 * kMiB);
  EXPECT_EQ(Ledger::Most(bench.ledger.writes), 1);
  bench.l2->Evict(0, bench.now);
  EXPECT_EQ(bench.ledger.written_bytes, 2 * kMiB) << "what was written back is clean";
}

// A write-back cache (Hennessy and Patterson, appendix B): memory is written when a line is
// replaced, once for all stores to it, and only if there were some.
TEST(L2Cache, ALineIsWrittenBackOnceHoweverOftenItWasWritten) { WriteThreeTimes(kV100); }
TEST(L2Cache, ALineOfTwoPartitionsIsWrittenBackOnce) { WriteThreeTimes(kA100); }

TEST(L2Cache, WhatDoesNotFitIsWrittenButForTheLast) {
  Bench bench(kV100, 4 * 6 * kMiB);  // 6 MiB of L2
  bench.Sweep(true);
  EXPECT_GE(bench.ledger.written_bytes, 3 * 6 * kMiB);
  EXPECT_LT(bench.ledger.written_bytes, 4 * 6 * kMiB);
  EXPECT_EQ(Ledger::Most(bench.ledger.writes), 1);
  bench.l2->Evict(0, bench.now);
  EXPECT_EQ(bench.ledger.written_bytes, 4 * 6 * kMiB);
}

TEST(L2Cache, LinesThatWereOnlyReadAreDropped) {
  Bench bench(kV100, 4 * 6 * kMiB);
  bench.Sweep(false);
  bench.l2->Evict(0, bench.now);
  EXPECT_EQ(bench.ledger.written_bytes, 0);
  EXPECT_EQ(bench.ledger.read_bytes, 4 * 6 * kMiB);
  EXPECT_EQ(Ledger::Most(bench.ledger.reads), 1);
}

/// The share of lines that take about `cycles` when an SM of a partition loads each for the first
/// time since all were written.
double ShareAt(Bench& bench, double cycles, std::size_t partition) {
  int found = 0, lines = 0;
  for (std::int64_t row = 0; row < bench.program.tensors[0].rows; ++row) {
    for (std::int64_t byte = 0; byte < Bench::kRow; byte += 128) {
      const double took = bench.Access(row, byte, 128, false, partition);
      ++lines;
      if (std::abs(took - cycles) < 3) ++found;
    }
  }
  return static_cast<double>(found) / lines;
}

TEST(L2Cache, HalfOfTheLinesLieInTheOtherPartition) {
  // A100: 205 cycles to the near one, about 400 to the far one (RRZE-HPC/gpu-benches); a copy is
  // left in the near one ("each L2 partition caches data for memory accesses from SMs in the GPCs
  // directly connected to it": Ampere whitepaper, 2020).
  Bench bench(kA100, kMiB);
  bench.Sweep(true);
  EXPECT_NEAR(ShareAt(bench, 400, 0), 0.5, 0.05);
  EXPECT_EQ(ShareAt(bench, 205, 0), 1) << "copies";
  bench.Sweep(true);
  EXPECT_NEAR(ShareAt(bench, 205, 1), 0.5, 0.05) << "copies that were written to are out of date";
  EXPECT_EQ(bench.ledger.read_bytes, 0);
}

TEST(L2Cache, OnePartitionHasOneLatency) {
  // V100: 212 cycles (RRZE-HPC/gpu-benches).
  Bench bench(kV100, kMiB);
  bench.Sweep(true);
  EXPECT_EQ(ShareAt(bench, 212, 0), 1);
}

}  // namespace
}  // namespace siliscope
