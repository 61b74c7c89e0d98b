// SPDX-License-Identifier: Apache-2.0
#include "sim/config/cpu_fields.h"

namespace siliscope {
namespace {

constexpr Need kRequired = Need::kRequired;
constexpr Need kOptional = Need::kOptional;
constexpr Range kCycles{0, 1 << 20};
constexpr Range kCount{1, 1 << 20};

void VisitCore(FieldVisitor& v, CpuCoreSpec& s) {
  if (!v.BeginSection("core", kRequired, "a core: window, queues, ports")) return;
  v.Flag("in_order", s.in_order, kOptional, "micro-operations issue in program order");
  v.Integer("width", s.width, {1, 32}, kRequired,
            "micro-operations that enter and leave the window in a cycle");
  v.Integer("decode", s.decode, {0, 32}, kOptional,
            "micro-operations that are fetched and decoded in a cycle; 0 = as many as width");
  v.Integer("hardware_threads", s.hardware_threads, {1, 8}, kOptional,
            "in use, which share ports and caches and divide window and queues; default 1");
  v.Integer("reorder_window", s.reorder_window, kCount, kRequired,
            "micro-operations that have not retired");
  v.Integer("scheduler", s.scheduler, kCount, kRequired,
            "micro-operations that wait for operands or ports");
  v.Integer("load_queue", s.load_queue, kCount, kRequired, "loads that have not retired");
  v.Integer("store_queue", s.store_queue, kCount, kRequired, "stores that have not reached the L1");
  int predictor = static_cast<int>(s.predictor);
  v.Choice("predictor", predictor, {"perfect", "static", "loop", "two_bit"}, kOptional,
           "of branches; static: backward ones are taken; loop: two_bit, and trips that repeat");
  s.predictor = static_cast<BranchPredictor>(predictor);
  v.Integer("mispredict", s.mispredict_cycles, kCycles, kOptional,
            "cycles from a mispredicted branch to the next micro-operation");
  v.Bytes("vector", s.vector_bytes, {4, 4096}, kRequired, "of a vector register");
  v.Integer("vector_registers", s.vector_registers, {1, 200}, kOptional, "of a core's names");
  v.Table(
      "macs_per_lane", s.macs_per_lane, Dimension::kPlain, kOptional,
      "multiply-accumulates that an FMA does for each 32 bits, by data type; fp32: 1, fp64: 0.5");
  v.Flag("memory_operands", s.memory_operands, kOptional,
         "a load and the operation that uses it take one slot, as codes are written for it");
  v.Real("wide_clock", s.wide_clock_hz, Dimension::kFrequency, {0, 1e11}, kOptional,
         "while the widest vectors or the matrix unit multiply; default: clock");
  v.Bytes("load_width", s.load_bytes, {4, 4096}, kRequired, "that a load port moves in a cycle");
  v.Bytes("store_width", s.store_bytes, {4, 4096}, kRequired,
          "that stores write to the L1 in a cycle");
  v.Integer("forward", s.forward_cycles, kCycles, kOptional,
            "cycles from a store that waits to a load of the same place");
  v.TextTable(
      "ports", s.ports, kRequired,
      "port -> classes of micro-operations that it takes, separated by spaces: integer, "
      "multiply, branch, load, store, float_add, float_multiply, fma, divide, shuffle, matrix");
  v.Table("latency", s.latency, Dimension::kPlain, kRequired,
          "cycles of each class to its result (load: of a hit in L1); others: 1");
  v.Table("interval", s.interval, Dimension::kPlain, kOptional,
          "cycles for which a micro-operation of a class keeps its port; others: 1");
  v.EndSection();
}

void VisitCache(FieldVisitor& v, const char* key, CpuCacheSpec& s, Need need, const char* meaning) {
  if (!v.BeginSection(key, need, meaning)) return;
  v.Bytes("size", s.size_bytes, {0, 1e12}, kRequired, "0 = there is none");
  v.Integer("ways", s.ways, {1, 1024}, kRequired, "lines of a set");
  v.Integer("latency", s.latency_cycles, kCycles, kRequired,
            "cycles of a load that hits, from the core and back");
  v.Real("fill", s.fill_bytes_per_cycle, Dimension::kBytesPerCycle, {1, 1e6}, kOptional,
         "to the level above (L1: not used, its ports are the core's)");
  v.Integer("misses", s.misses, kCount, kOptional, "lines that may be on their way from below");
  v.Integer("prefetch_lines", s.prefetch_lines, {0, 4096}, kOptional,
            "that a stream's prefetches run ahead of it; 0 = no prefetcher");
  v.Integer("prefetch_streams", s.prefetch_streams, {1, 1024}, kOptional,
            "that the prefetcher follows at a time");
  v.Bytes("prefetch_page", s.prefetch_page_bytes, {64, 1LL << 30}, kOptional,
          "that a stream's prefetches stay inside of");
  int replacement = s.random_replacement ? 1 : 0;
  v.Choice("replacement", replacement, {"least_recently_used", "random"}, kOptional,
           "which line of a set goes");
  s.random_replacement = replacement == 1;
  v.Flag("victim", s.victim, kOptional, "holds only what the level above has dropped");
  v.Flag("hashed", s.hashed, kOptional,
         "the set is chosen by all bits of an address, not by the lowest above the line");
  v.Flag("retries_full_sets", s.retries_full_sets, kOptional,
         "of L1: what misses a set whose lines are all on their way comes one after another, each "
         "asked of L2 again once the one before has come");
  v.EndSection();
}

void VisitCluster(FieldVisitor& v, CpuClusterSpec& s) {
  if (!v.BeginSection("cluster", kOptional,
                      "cores that share a last-level cache (a CCD; default: all), and how lines "
                      "travel between cores")) {
    return;
  }
  v.Integer("cores", s.cores, {0, 256}, kOptional, "of a cluster; 0 = all");
  v.Real("read", s.read_bytes_per_s, Dimension::kBandwidth, {0, 1e15}, kOptional,
         "into a cluster from memory and other clusters; default: no limit");
  v.Real("write", s.write_bytes_per_s, Dimension::kBandwidth, {0, 1e15}, kOptional,
         "out of a cluster");
  v.Integer("transfer", s.transfer_cycles, kCycles, kOptional,
            "cycles of a line from a core to another one of its cluster");
  v.Integer("remote_transfer", s.remote_transfer_cycles, kCycles, kOptional,
            "cycles of a line to a core of another cluster");
  v.EndSection();
}

void VisitCpuLibrary(FieldVisitor& v, CpuLibrarySpec& s) {
  if (!v.BeginSection("matrix_library", kOptional,
                      "how the library of the chip's measurements divides products; its rows are "
                      "the columns of a row-major result")) {
    return;
  }
  const auto table = [&](const char* key, std::map<std::string, double>& field,
                         const char* meaning) {
    v.Table(key, field, Dimension::kPlain, kOptional, meaning);
  };
  table("block_rows", s.block_rows, "of a packed block, by data type");
  table("block_columns", s.block_columns, "of a packed block; all where it is not given");
  table("block_depth", s.block_depth, "of the contraction, in a packed block");
  table("tile_rows", s.tile_rows, "of the micro-kernel");
  table("tile_columns", s.tile_columns, "of the micro-kernel, at most");
  table("column_unroll", s.column_unroll,
        "columns are packed in groups of three times this while the first block runs");
  v.Integer("columns_per_load", s.columns_per_load, {1, 16}, kOptional,
            "values of 32 bits that a load of columns brings (2: a broadcast of two; 4: lanes)");
  v.Integer("two_sums_columns", s.two_sums_columns, {0, 1024}, kOptional,
            "tiles of so many columns keep the sums of even and odd steps apart; 0 = none");
  v.Integer("unpacked_macs", s.unpacked_macs, {0, 1e15}, kOptional,
            "products of at most so many multiply-accumulates are not packed");
  v.Integer("unroll", s.unroll, {1, 64}, kOptional,
            "steps of the contraction that a tile's loop writes out");
  v.Flag("prefetches_result", s.prefetches_result, kOptional,
         "a tile begins with prefetches of the result it will add to");
  v.Flag("prefetches_sources", s.prefetches_sources, kOptional,
         "packing prefetches what it packs next");
  v.Flag("packs_along_rows", s.packs_along_rows, kOptional,
         "packs in the order in which the source lies, not strip by strip");
  v.Flag("packs_squares", s.packs_squares, kOptional,
         "rows along the contraction are packed a square of whole vectors at a time");
  v.Flag("even_tiles", s.even_tiles, kOptional,
         "tiles divide the columns evenly, and rows that are left are one masked tile");
  int convolution = static_cast<int>(s.convolution);
  v.Choice("convolution", convolution, {"direct", "im2col", "winograd"}, kOptional,
           "how convolutions are done where it can be: windows copied out and multiplied; tiles of "
           "4 x 4 transformed, for kernels of 3 x 3 with stride 1; else direct");
  s.convolution = static_cast<ConvAlgorithm>(convolution);
  v.Flag("packs_weights_once", s.packs_weights_once, kOptional,
         "weights are packed before the network runs, else in every call");
  v.Real("call", s.call_s, Dimension::kTime, {0, 1}, kOptional,
         "of a call, beside its work: checks, buffers, the caller's language");
  v.Real("product_call", s.product_call_s, Dimension::kTime, {0, 1}, kOptional,
         "of a call of a product of matrices, beyond that: its threads share buffers out");
  v.Bytes(
      "array_offset", s.array_offset_bytes, {0, 1024}, kOptional,
      "the caller's arrays begin so far past a line, as an allocator's header goes before them");
  v.EndSection();
}

}  // namespace

void VisitCpu(FieldVisitor& v, CpuSpec& s) {
  v.Integer("cores", s.cores, {1, 256}, kRequired, "in use");
  v.Bytes("line", s.line_bytes, {16, 1024}, kOptional, "of all caches");
  VisitCore(v, s.core);
  VisitCache(v, "l1", s.l1, kRequired, "data cache of a core");
  VisitCache(v, "l2", s.l2, kOptional, "second-level cache of a core");
  VisitCache(v, "l3", s.l3, kOptional, "third-level cache");
  if (v.BeginSection("tlb", kOptional, "translation of addresses")) {
    v.Bytes("page", s.tlb.page_bytes, {4096, 1 << 30}, kOptional, "of memory");
    v.Integer("l1_entries", s.tlb.l1_entries, kCount, kOptional, "pages of the first level");
    v.Integer("l2_entries", s.tlb.l2_entries, kCount, kOptional, "pages of the second level");
    v.Integer("l2", s.tlb.l2_cycles, kCycles, kOptional, "cycles to the second level");
    v.Integer("walk", s.tlb.walk_cycles, kCycles, kOptional, "cycles of a page walk");
    v.EndSection();
  }
  VisitCluster(v, s.cluster);
  if (v.BeginSection("numa", kOptional,
                     "sockets, or parts of one, that have the cores and memory channels in equal "
                     "parts")) {
    v.Integer("nodes", s.numa.nodes, {1, 16}, kRequired, "1 = memory is as near to all cores");
    int placement = static_cast<int>(s.numa.placement);
    v.Choice(
        "placement", placement, {"first_touch", "interleave", "one_node"}, kOptional,
        "where tensors lie: in as many parts as nodes, page by page in turn, all on the first");
    s.numa.placement = static_cast<NumaPlacement>(placement);
    v.Real("link", s.numa.link_bytes_per_s, Dimension::kBandwidth, {0, 1e15}, kOptional,
           "between two nodes, each way; default: no limit");
    v.Real("link_latency", s.numa.link_latency_s, Dimension::kTime, {0, 1}, kOptional, "one way");
    v.EndSection();
  }
  if (v.BeginSection("matrix_unit", kOptional, "that multiplies tiles, as Intel AMX")) {
    v.Integer("rows", s.matrix.rows, {0, 256}, kRequired,
              "0 = there is none; of a tile, and columns of 32 bits of a result");
    v.Bytes("row", s.matrix.row_bytes, {4, 4096}, kOptional, "of a row of a tile");
    v.Table("dtypes", s.matrix.dtypes, Dimension::kPlain, kOptional,
            "that it multiplies, each with a 1");
    v.EndSection();
  }
  VisitCpuLibrary(v, s.library);
}

}  // namespace siliscope
