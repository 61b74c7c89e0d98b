// SPDX-License-Identifier: Apache-2.0
#include "sim/config/gpu_fields.h"

namespace siliscope {
namespace {

constexpr Need kRequired = Need::kRequired;
constexpr Need kOptional = Need::kOptional;
constexpr Range kCycles{0, 1 << 20};
constexpr Range kTime{0, 10};
constexpr Range kSize{0, 1e15};
constexpr Range kCount{1, 1 << 20};
constexpr Range kNotNegative{0, 1e18};
constexpr Range kPicojoules{0, 1e6};

void VisitPipe(FieldVisitor& v, const char* key, GpuPipeSpec& s, Need need, const char* meaning) {
  if (!v.BeginSection(key, need, meaning)) return;
  v.Integer("latency", s.latency_cycles, {1, 1 << 16}, kRequired,
            "cycles from an instruction to one that needs its result");
  v.Integer("interval", s.interval_cycles, {1, 1 << 16}, kRequired,
            "cycles between two instructions of a warp: 32 lanes / lanes of the sub-core");
  v.EndSection();
}

void VisitRegisters(FieldVisitor& v, RegisterFileSpec& s) {
  if (!v.BeginSection("register_file", kOptional, "registers of an SM, 32 bits each")) return;
  v.Integer("registers", s.registers, {1024, 1 << 24}, kOptional, "of an SM");
  v.Integer("granule", s.granule, {1, 1 << 16}, kOptional,
            "registers are given to a warp in multiples of this");
  v.Integer("most_per_thread", s.most_per_thread, {16, 255}, kOptional, "of one thread");
  v.Integer("banks", s.banks, {1, 64}, kOptional, "of a sub-core; register r lies in r mod banks");
  v.Integer("reads_per_bank", s.reads_per_bank, {1, 8}, kOptional,
            "operands of a warp that a bank delivers in a cycle of the pipe's interval");
  v.Flag("reuse_cache", s.reuse_cache, kOptional, "operands marked for reuse need no bank");
  v.Integer("collectors", s.collectors, {0, 64}, kOptional,
            "arithmetic instructions of a sub-core that may wait for their operands; 0 = operands "
            "are read at issue, and a conflict holds up the pipe");
  v.EndSection();
}

void VisitSharedMemory(FieldVisitor& v, SharedMemorySmSpec& s) {
  if (!v.BeginSection("shared_memory", kRequired, "shared memory of an SM")) return;
  v.Bytes("size", s.size_bytes, kSize, kRequired, "that CTAs of an SM may have in all");
  v.Bytes("most_per_cta", s.most_per_cta_bytes, kSize, kRequired, "that one CTA may have");
  v.Bytes("reserved_per_cta", s.reserved_per_cta_bytes, kSize, kOptional,
          "that the system takes for each CTA");
  v.Integer("banks", s.banks, {1, 1024}, kOptional, "that answer at the same time");
  v.Bytes("bank_width", s.bank_width_bytes, {1, 64}, kOptional, "bytes of a bank in a cycle");
  v.Integer("latency", s.latency_cycles, kCycles, kRequired, "of a load without conflict");
  v.Integer("wide_lanes", s.wide_lanes, {8, 32}, kOptional,
            "lanes of a 16-byte access that are looked at together: those that want the same word "
            "share it");
  v.EndSection();
}

void VisitL1(FieldVisitor& v, L1Spec& s) {
  if (!v.BeginSection("l1", kRequired, "first-level data cache of an SM")) return;
  v.Bytes("size", s.size_bytes, kSize, kRequired,
          "where unified: cache and shared memory together, shared memory taken off");
  v.Flag("unified", s.unified, kOptional, "one memory for cache and shared memory");
  v.Bytes("line", s.line_bytes, {32, 1024}, kOptional, "of a tag");
  v.Bytes("sector", s.sector_bytes, {16, 128}, kOptional, "fetched together");
  v.Integer("ways", s.ways, {1, 1024}, kOptional, "lines of a set");
  v.Integer("latency", s.latency_cycles, kCycles, kRequired, "of a load that hits");
  v.Integer("mshrs", s.mshrs, kCount, kOptional, "sectors that may be on their way");
  v.Integer("fill", s.fill_bytes_per_cycle, {1, 4096}, kOptional,
            "bytes a cycle from the crossbar to the SM");
  v.Integer("store", s.store_bytes_per_cycle, {1, 4096}, kOptional,
            "bytes a cycle from the SM to the crossbar");
  v.EndSection();
}

void VisitFrontEnd(FieldVisitor& v, SmSpec& s) {
  if (v.BeginSection("instruction_cache", kOptional, "instruction caches of an SM")) {
    InstructionCacheSpec& i = s.instruction_cache;
    v.Bytes("l0", i.l0_bytes, kSize, kOptional, "of a sub-core");
    v.Bytes("l1", i.l1_bytes, kSize, kOptional, "of the SM");
    v.Bytes("instruction", i.instruction_bytes, {4, 64}, kOptional, "of one instruction");
    v.Integer("l0_miss", i.l0_miss_cycles, kCycles, kOptional, "cycles from the L1 to the L0");
    v.Integer("prefetch_lines", i.prefetch_lines, {0, 64}, kOptional,
              "lines of 128 B that are fetched ahead on a miss");
    v.EndSection();
  }
  if (v.BeginSection("constant_cache", kOptional, "constant caches of an SM, before the L2")) {
    ConstantCacheSpec& c = s.constant_cache;
    v.Bytes("l1", c.l1_bytes, {64, 1 << 24}, kOptional, "of the first level");
    v.Bytes("l1_line", c.l1_line_bytes, {16, 1024}, kOptional, "of the first level");
    v.Integer("l1_latency", c.l1_latency_cycles, kCycles, kOptional, "of a hit in the first level");
    v.Bytes("l2", c.l2_bytes, {1024, 1 << 24}, kOptional, "of the second level");
    v.Bytes("l2_line", c.l2_line_bytes, {16, 1024}, kOptional, "of the second level");
    v.Integer("l2_latency", c.l2_latency_cycles, kCycles, kOptional,
              "of a hit in the second level");
    v.Integer("ways", c.ways, {1, 64}, kOptional, "lines of a set");
    v.EndSection();
  }
}

void VisitTlb(FieldVisitor& v, TlbSpec& s) {
  if (!v.BeginSection("tlb", kOptional, "translation of addresses")) return;
  v.Bytes("page", s.page_bytes, {4096, 1 << 30}, kOptional, "of memory");
  v.Integer("l1_entries", s.l1_entries, kCount, kOptional, "pages known to an SM");
  v.Integer("l1_miss", s.l1_miss_cycles, kCycles, kOptional, "cycles to the second level");
  v.Integer("l2_entries", s.l2_entries, kCount, kOptional, "pages known to the chip");
  v.Integer("walk", s.walk_cycles, kCycles, kOptional, "cycles of a page walk");
  v.Integer("walkers", s.walkers, kCount, kOptional, "page walks at the same time");
  v.EndSection();
}

}  // namespace

void VisitSm(FieldVisitor& v, SmSpec& s) {
  v.Integer("subcores", s.subcores, {1, 16}, kOptional, "warp schedulers, each with its pipes");
  v.Integer("max_warps", s.max_warps, {1, 1024}, kRequired, "resident");
  v.Integer("max_ctas", s.max_ctas, {1, 1024}, kRequired, "resident");
  int scheduler = static_cast<int>(s.scheduler);
  v.Choice("scheduler", scheduler, {"greedy_then_oldest", "loose_round_robin", "two_level"},
           kOptional, "which ready warp issues");
  s.scheduler = static_cast<WarpScheduler>(scheduler);
  int divergence = static_cast<int>(s.divergence);
  v.Choice("divergence", divergence, {"stack", "independent", "compaction"}, kOptional,
           "paths of a warp whose lanes part: one after another; each of its own, while the others "
           "wait (Volta on); or lanes of all warps gathered by path (research)");
  s.divergence = static_cast<Divergence>(divergence);
  v.Flag("dual_issue", s.dual_issue, kOptional,
         "two independent instructions of a warp may issue in a cycle");
  VisitRegisters(v, s.registers);
  VisitPipe(v, "fp32", s.fp32, kRequired, "single-precision pipe of a sub-core");
  VisitPipe(v, "fp16", s.fp16, kRequired, "packed half-precision pipe, two operations a lane");
  VisitPipe(v, "fp64", s.fp64, kRequired, "double-precision pipe");
  VisitPipe(v, "integer", s.integer, kRequired, "integer pipe");
  v.Flag("integer_in_fp32", s.integer_in_fp32, kOptional,
         "the lanes of single precision do the integer instructions, too");
  VisitPipe(v, "sfu", s.sfu, kRequired, "special functions");
  v.Integer("load_store_interval", s.load_store_interval_cycles, {1, 1024}, kOptional,
            "cycles between two loads or stores of a sub-core");
  v.Integer("load_store_queue", s.load_store_queue, {1, 1024}, kOptional,
            "loads and stores of a sub-core that may wait for the memory pipe");
  v.Integer("branch", s.branch_cycles, kCycles, kOptional,
            "cycles from a branch to the next instruction of the warp");
  v.Integer("barrier", s.barrier_cycles, kCycles, kOptional,
            "cycles from the last arrival at a barrier to the next instruction");
  VisitSharedMemory(v, s.shared_memory);
  VisitL1(v, s.l1);
  VisitFrontEnd(v, s);
  VisitTlb(v, s.tlb);
  v.Flag("async_copy", s.async_copy, kOptional, "cp.async: copies past the registers (Ampere on)");
  v.Flag("tensor_memory_access", s.tensor_memory_access, kOptional,
         "bulk copies, mbarriers, clusters with multicast (Hopper on)");
  v.Integer("bulk_issue", s.bulk_issue_cycles, kCycles, kOptional, "cycles to issue one bulk copy");
  v.Integer("bulk_latency", s.bulk_latency_cycles, kCycles, kOptional,
            "cycles that a bulk copy takes longer than a load");
  v.Integer("mbarrier", s.mbarrier_cycles, kCycles, kOptional,
            "cycles from the last arrival to the waiting warp");
  v.Integer("peer_latency", s.peer_latency_cycles, kCycles, kOptional,
            "cycles of a load from the shared memory of another SM of the cluster");
}

namespace {

void VisitMmaShape(FieldVisitor& v, MmaShape& s) {
  v.Integer("m", s.m, {1, 1024}, kOptional, "rows of a warp's instruction");
  v.Integer("n", s.n, {1, 1024}, kOptional, "columns of a warp's instruction");
  v.Integer("k", s.k, {1, 1024}, kOptional,
            "contraction of a warp's instruction, 16-bit operands (64-bit in fp64_shape)");
}

}  // namespace

void VisitTensorCore(FieldVisitor& v, TensorCoreSpec& s) {
  if (!v.BeginSection("tensor_core", kOptional, "Tensor Cores, one in each sub-core")) return;
  v.Integer("generation", s.generation, {1, 4}, kRequired,
            "1 Volta, 2 Turing, 3 Ampere, 4 Hopper (warp-group instructions)");
  VisitMmaShape(v, s.shape);
  if (v.BeginSection("fp64_shape", kOptional, "the same of double precision")) {
    VisitMmaShape(v, s.fp64_shape);
    v.EndSection();
  }
  v.Integer("steps", s.steps, {1, 16}, kOptional,
            "instructions that one product is issued as, each for a part of its results (HMMA.884 "
            "of Volta; half as many with sums in half precision)");
  v.Integer("latency", s.latency_cycles, kCycles, kRequired,
            "cycles from an instruction to one that needs its result");
  v.Integer("shared_m", s.shared_m, {0, 1024}, kOptional,
            "rows that share an operand read from the registers, 0 = all of an instruction");
  v.Integer("shared_n", s.shared_n, {0, 1024}, kOptional,
            "columns that share an operand read from the registers, 0 = all of an instruction");
  v.Table("macs_per_cycle", s.macs_per_cycle, Dimension::kPlain, kRequired,
          "dense multiply-accumulates of an SM in a cycle, by data type");
  v.Flag("sparse", s.sparse, kOptional,
         "multiplies operands of which two of each four elements are zero in half of the time");
  v.Real("warp_level_rate", s.warp_level_rate, Dimension::kPlain, {0.01, 1}, kOptional,
         "share of the rate that instructions of single warps reach");
  v.Integer("group_tail", s.group_tail_cycles, kCycles, kOptional,
            "cycles from the last operand of a warp-group instruction to its result");
  v.Integer("group_outstanding", s.group_outstanding, {1, 64}, kOptional,
            "warp-group instructions that may be under way");
  v.EndSection();
}

namespace {

void VisitL2(FieldVisitor& v, L2Spec& s) {
  if (!v.BeginSection("l2", kRequired, "second-level cache of the chip")) return;
  v.Bytes("size", s.size_bytes, kSize, kRequired, "of all partitions");
  v.Integer("partitions", s.partitions, {1, 2}, kOptional,
            "halves, each near to half of the SMs; a line has its home in one");
  v.Integer("slices", s.slices, kCount, kRequired, "of all partitions");
  v.Integer("slice_width", s.slice_bytes_per_cycle, {1, 1024}, kRequired,
            "bytes a slice delivers in a cycle");
  v.Bytes("fetch", s.fetch_bytes, {32, 4096}, kOptional, "bytes that a miss fetches from memory");
  v.Integer(
      "atomic_interval", s.atomic_interval_cycles, {1, 1000}, kOptional,
      "cycles between two atomic operations on one address; assumed 1, as on Maxwell and later");
  v.Integer("replacement_candidates", s.candidates, {1, 64}, kOptional,
            "lines a replacement looks at, of which the longest unused goes; assumed: none is "
            "published, 1 is random, many are least recently used");
  v.Real("clock", s.clock_hz, Dimension::kFrequency, {0, 1e11}, kOptional,
         "of the cache; default: the chip's");
  v.Integer("near_latency", s.near_latency_cycles, kCycles, kRequired,
            "cycles of a load that hits, from the SM and back, unloaded");
  v.Integer("far_latency", s.far_latency_cycles, kCycles, kOptional,
            "the same where the other partition holds the line");
  v.Real("link", s.link_bytes_per_cycle, Dimension::kBytesPerCycle, kNotNegative, kOptional,
         "between the partitions, each direction; 0 = never the limit");
  v.Real("gpc_port", s.gpc_bytes_per_cycle, Dimension::kBytesPerCycle, kNotNegative, kOptional,
         "from the crossbar to the SMs of a GPC; 0 = never the limit");
  v.EndSection();
}

void VisitLaunch(FieldVisitor& v, GpuLaunchSpec& s) {
  if (!v.BeginSection("launch", kOptional, "how kernels start")) return;
  v.Real("graph", s.graph_s, Dimension::kTime, kTime, kOptional,
         "from the end of a kernel to the start of the next in a captured graph");
  v.Real("stream", s.stream_s, Dimension::kTime, kTime, kOptional,
         "the same for launches back to back in a stream");
  v.Integer("cta_start", s.cta_start_cycles, kCycles, kOptional,
            "cycles from the CTA scheduler to the first instruction");
  v.Integer("ctas_per_cycle", s.ctas_per_cycle, {1, 1024}, kOptional,
            "CTAs that are placed in a cycle");
  v.EndSection();
}

void VisitHostLink(FieldVisitor& v, GpuHostLinkSpec& s) {
  if (!v.BeginSection("host_link", kOptional, "copies from and to the host's memory")) return;
  v.Real("bandwidth", s.bytes_per_s, Dimension::kBandwidth, {1, 1e13}, kRequired,
         "each way, on the wire");
  v.Bytes("payload", s.payload_bytes, {16, 4096}, kOptional, "data of a packet");
  v.Bytes("overhead", s.overhead_bytes, {0, 256}, kOptional,
          "header, sequence number and checksum of a packet");
  v.Real("latency", s.latency_s, Dimension::kTime, kTime, kOptional, "there and back");
  v.Real("setup", s.setup_s, Dimension::kTime, kTime, kOptional, "of a copy engine, once a copy");
  v.Bytes("outstanding", s.outstanding_bytes, kSize, kOptional,
          "of a copy, asked for and not yet there");
  v.Integer("copy_engines", s.copy_engines, {1, 64}, kOptional, "copies that run at a time");
  v.EndSection();
}

void VisitNeighbour(FieldVisitor& v, GpuNeighbourSpec& s) {
  if (!v.BeginSection("neighbour", kOptional,
                      "what others than the program's kernels move in the chip's memory meanwhile, "
                      "as a collective's channels do")) {
    return;
  }
  v.Real("read", s.read_bytes_per_s, Dimension::kBandwidth, {0, 1e14}, kOptional, "at this rate");
  v.Real("write", s.write_bytes_per_s, Dimension::kBandwidth, {0, 1e14}, kOptional, "at this rate");
  v.EndSection();
}

void VisitPower(FieldVisitor& v, GpuPowerSpec& s) {
  if (!v.BeginSection("power", kOptional, "energy of events, for the clock at the power limit")) {
    return;
  }
  v.Real("idle", s.idle_w, Dimension::kPower, {0, 1e5}, kOptional, "without any event");
  const auto energy = [&](const char* key, double& joules, const char* meaning) {
    double picojoules = joules * 1e12;
    v.Real(key, picojoules, Dimension::kPlain, kPicojoules, kOptional, meaning);
    joules = picojoules * 1e-12;
  };
  energy("tensor_mac_pj", s.tensor_j_per_mac,
         "picojoules of a 16-bit multiply-accumulate of a Tensor Core");
  energy("fp32_mac_pj", s.fp32_j_per_mac, "of one in single precision, its operands included");
  energy("shared_byte_pj", s.shared_j_per_byte, "of a byte from or to shared memory");
  energy("l2_byte_pj", s.l2_j_per_byte, "of a byte between L2 and an SM");
  energy("dram_byte_pj", s.dram_j_per_byte, "of a byte of the off-chip memory");
  v.Real("voltage_exponent", s.voltage_exponent, Dimension::kPlain, {0, 4}, kOptional,
         "energies go with (clock / boost clock) to this power");
  v.EndSection();
}

void VisitLibrary(FieldVisitor& v, KernelLibrarySpec& s) {
  if (!v.BeginSection("kernel_library", kOptional,
                      "choices of the matrix library that the chip is measured with")) {
    return;
  }
  v.Integer("large_tile_rows", s.large_tile_rows, {0, 1024}, kOptional,
            "Tensor Core tile taken whatever the last wave wastes; 0 = the fastest kernel always");
  v.Integer("large_tile_columns", s.large_tile_columns, {0, 1024}, kOptional, "of that tile");
  v.Integer("large_tile_from_ctas", s.large_tile_from_ctas, {0, 1 << 20}, kOptional,
            "for products of at least so many such tiles");
  v.Integer("large_tile_below_k", s.large_tile_below_k, {0, 1 << 30}, kOptional,
            "and of a shorter contraction, which is not worth splitting");
  v.Integer("sliced_from_k", s.sliced_from_k, {0, 1 << 30}, kOptional,
            "shorter contractions are not sliced among the threads of a CTA (SIMT kernels)");
  v.Integer("split_from_k", s.split_from_k, {0, 1 << 30}, kOptional,
            "shorter contractions are never split over CTAs");
  v.Text("simt_tiles", s.simt_tiles, kOptional,
         "tiles of unsliced SIMT kernels that it has (\"128x64 64x64\"); default: any");
  v.Text("simt_batched_tiles", s.simt_batched_tiles, kOptional,
         "those that batched products take; default: any of them");
  v.Flag("simt_split", s.simt_split, kOptional, "SIMT kernels may split k over CTAs");
  v.Flag("cluster_split", s.cluster_split, kOptional,
         "warp-group kernels may split k over a cluster and add up through its shared memories");
  v.Flag("stream_k", s.stream_k, kOptional,
         "kernels of single warps' Tensor Core instructions may share out steps instead of tiles");
  v.EndSection();
}

}  // namespace

void VisitGpu(FieldVisitor& v, GpuSpec& s) {
  v.Integer("sms", s.sms, {1, 4096}, kRequired, "streaming multiprocessors in use");
  v.Integer("gpcs", s.gpcs, {1, 256}, kOptional, "graphics processing clusters the SMs lie in");
  v.Integer("sms_per_tpc", s.sms_per_tpc, {1, 16}, kOptional, "SMs of a texture cluster");
  v.Real("base_clock", s.base_clock_hz, Dimension::kFrequency, {0, 1e12}, kOptional,
         "that the chip keeps under any load");
  v.Real("lock_clock", s.lock_clock_hz, Dimension::kFrequency, {0, 1e12}, kOptional,
         "the clock that was locked; default: the boost clock, as far as the power limit allows");
  if (v.BeginSection("sm", kRequired, "a streaming multiprocessor")) {
    VisitSm(v, s.sm);
    v.EndSection();
  }
  VisitTensorCore(v, s.tensor_core);
  VisitL2(v, s.l2);
  VisitLaunch(v, s.launch);
  VisitHostLink(v, s.host_link);
  VisitNeighbour(v, s.neighbour);
  VisitPower(v, s.power);
  VisitLibrary(v, s.library);
}

}  // namespace siliscope
