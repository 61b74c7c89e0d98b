// SPDX-License-Identifier: Apache-2.0
#include "sim/config/npu_fields.h"

namespace siliscope {
namespace {

constexpr Need kRequired = Need::kRequired;
constexpr Need kOptional = Need::kOptional;
constexpr Range kPositive{1e-15, 1e18};
constexpr Range kNotNegative{0, 1e18};
constexpr Range kCount{1, 1 << 20};
constexpr Range kTime{0, 10};

void VisitArray(FieldVisitor& v, SystolicArraySpec& s) {
  v.Integer("rows", s.rows, {1, 4096}, kRequired,
            "processing elements down a column; the contraction (k) runs along them");
  v.Integer("columns", s.columns, {1, 4096}, kRequired, "processing elements along a row");
  v.Integer("count", s.count, {1, 1024}, kOptional, "arrays in each core");
  int dataflow = static_cast<int>(s.dataflow);
  v.Choice("dataflow", dataflow,
           {"weight_stationary", "output_stationary", "input_stationary", "searched"}, kOptional,
           "which operand stays in the processing elements; searched: the fastest of each product");
  s.dataflow = static_cast<Dataflow>(dataflow);
  v.Flag("weight_double_buffer", s.weight_double_buffer, kOptional,
         "a second plane of stationary operands is filled while the first computes");
  v.Flag("overlap_fill_drain", s.overlap_fill_drain, kOptional,
         "the next tile enters while the one before is still leaving the array");
  v.Integer("weight_rows_per_cycle", s.weight_rows_per_cycle, {1, 4096}, kOptional,
            "rows of the stationary operand that are pushed in a cycle");
  v.Integer("weight_switch_cycles", s.weight_switch_cycles, {0, 1 << 16}, kOptional,
            "cycles between the last pushed row and the first use of the plane");
  v.Integer(
      "push_latency", s.push_latency_cycles, {0, 1 << 16}, kOptional,
      "cycles from a stationary operand's buffer to the array; hidden where it lies ready early");
  v.Integer("row_granule", s.row_granule, {1, 1024}, kOptional,
            "streamed rows are padded to a multiple of this");
  v.Table("macs_per_element", s.macs_per_element, Dimension::kPlain, kRequired,
          "multiply-accumulates of a processing element in a cycle, by operand types (int8, "
          "int8xint16, "
          "bf16)");
}

void VisitScratchpad(FieldVisitor& v, const char* key, ScratchpadSpec& s, const char* meaning) {
  if (!v.BeginSection(key, kOptional, meaning)) return;
  v.Bytes("size", s.size_bytes, {1, 1e15}, kRequired, "capacity, of each core");
  v.Integer("banks", s.banks, kCount, kOptional, "banks that work at the same time");
  v.Bytes("bank_width", s.bank_width_bytes, {1, 1 << 20}, kRequired,
          "bytes that a port of a bank moves in a cycle");
  v.Integer("read_ports", s.read_ports, {1, 64}, kOptional, "reads a bank serves in a cycle");
  v.Integer("write_ports", s.write_ports, {1, 64}, kOptional, "writes a bank serves in a cycle");
  v.EndSection();
}

void VisitVector(FieldVisitor& v, VectorUnitSpec& s) {
  if (!v.BeginSection("vector_unit", kRequired, "elementwise work, reductions and transposes")) {
    return;
  }
  v.Integer("lanes", s.lanes, {1, 1 << 16}, kRequired, "elements along the last dimension");
  v.Integer("sublanes", s.sublanes, {1, 1024}, kOptional, "rows that are worked on together");
  v.Integer("alus", s.alus, {1, 64}, kOptional, "operations a lane and sublane starts in a cycle");
  v.Integer("latency", s.latency_cycles, {0, 1 << 20}, kOptional,
            "cycles from the first operand to the first result");
  v.Bytes("load_width", s.load_bytes_per_cycle, {0, 1 << 24}, kOptional,
          "bytes loaded from the scratchpad in a cycle; 0 = never the limit");
  v.Bytes("store_width", s.store_bytes_per_cycle, {0, 1 << 24}, kOptional,
          "bytes stored to the scratchpad in a cycle; 0 = never the limit");
  v.Integer("transpose_rows_per_cycle", s.transpose_rows_per_cycle, {1, 1 << 16}, kOptional,
            "rows of lanes elements that the transpose unit takes in a cycle");
  v.Table("function_cycles", s.function_cycles, Dimension::kPlain, kOptional,
          "cycles that a function takes of one ALU for each element position; default 1");
  v.EndSection();
}

void VisitMovement(FieldVisitor& v, NpuSpec& s) {
  if (v.BeginSection("dma", kOptional, "engines that copy between memory and scratchpads")) {
    v.Integer("engines", s.dma.engines, {1, 1024}, kOptional,
              "copies of a core that move data at the same time");
    v.Integer("outstanding", s.dma.outstanding, {1, 4096}, kOptional,
              "copies of a core that may be under way, moving or waiting for their first data");
    v.Real("latency", s.dma.latency_s, Dimension::kTime, kTime, kOptional,
           "from the command to the first request to memory");
    v.Real("bandwidth", s.dma.bytes_per_cycle, Dimension::kBytesPerCycle, kNotNegative, kOptional,
           "bytes that one engine moves in a cycle; 0 = never the limit");
    v.Bytes("chunk", s.dma.chunk_bytes, {64, 1 << 30}, kOptional,
            "a copy is cut into chunks of this size, which share memory and ports in turn");
    v.EndSection();
  }
  if (v.BeginSection("queues", kOptional, "scalar issue into the command queues")) {
    v.Integer("issue", s.queues.issue_cycles, {0, 1 << 20}, kOptional,
              "cycles the scalar unit takes to issue one command");
    v.Integer("depth", s.queues.depth, {1, 1 << 20}, kOptional,
              "commands a queue holds before scalar issue waits");
    v.EndSection();
  }
  if (v.BeginSection("shared_memory", kOptional, "on-chip memory shared by the cores (CMEM)")) {
    v.Bytes("size", s.shared_memory.size_bytes, {1, 1e15}, kRequired, "capacity, of the chip");
    v.Real("bandwidth", s.shared_memory.bandwidth_bytes_per_s, Dimension::kBandwidth, kPositive,
           kRequired, "of all cores together");
    v.Real("latency", s.shared_memory.latency_s, Dimension::kTime, kTime, kOptional,
           "from request to first data");
    v.EndSection();
  }
  if (v.BeginSection("host_link", kOptional, "inputs come and outputs go over it")) {
    v.Real("bandwidth", s.host_link.bandwidth_bytes_per_s, Dimension::kBandwidth, kPositive,
           kRequired, "attainable, each direction");
    v.Real("latency", s.host_link.latency_s, Dimension::kTime, kTime, kOptional,
           "of one transfer, set-up included");
    v.Flag("streams_weights", s.host_link.streams_weights, kOptional,
           "the chip has no memory of its own: what does not fit on chip comes from the host");
    v.EndSection();
  }
}

void VisitMapping(FieldVisitor& v, NpuMappingSpec& s) {
  if (!v.BeginSection("mapping", kOptional, "policies of the chip's compiler")) return;
  v.Integer("buffers", s.buffers, {1, 64}, kOptional,
            "tiles of a streamed operand that are on chip at the same time");
  v.Real("resident_fraction", s.resident_fraction, Dimension::kPlain, {0, 1}, kOptional,
         "an operand up to this share of its scratchpad is placed whole, a larger one is streamed");
  v.Flag("wait_for_whole_operand", s.wait_for_whole_operand, kOptional,
         "an operator starts when its placed operands have arrived whole, not tile by tile");
  v.Flag("im2col_in_hardware", s.im2col_in_hardware, kOptional,
         "convolution windows are formed on the way into the array; else they are written out");
  v.Flag("vector_gemv", s.vector_gemv, kOptional,
         "a product of one row may run on the vector unit, without the array");
  v.Integer("output_block_rows", s.output_block_rows, {1, 1 << 20}, kOptional,
            "rows of a result that leave while the next are computed");
  int order = static_cast<int>(s.loop_order);
  v.Choice("loop_order", order, {"searched", "mnk", "nmk", "kmn", "knm"}, kOptional,
           "loops over the blocks of a matrix product, outermost first; with k outermost partial "
           "sums pass through memory");
  s.loop_order = static_cast<LoopOrder>(order);
  constexpr Range kBlock{0, 1 << 30};
  v.Integer(
      "block_m", s.block_m, kBlock, kOptional,
      "streamed rows of a block; with any of the three, operands pass through block by block, "
      "0 = searched");
  v.Integer("block_n", s.block_n, kBlock, kOptional, "columns of a block, 0 = searched");
  v.Integer("block_k", s.block_k, kBlock, kOptional, "contraction of a block, 0 = searched");
  v.Integer("images_at_a_time", s.images_at_a_time, {0, 1 << 20}, kOptional,
            "a larger batch runs as several invocations; 0 = the whole batch at once");
  v.Bytes("parameter_cache", s.parameter_cache_bytes, kNotNegative, kOptional,
          "weights that stay on chip from one invocation to the next, first operators first");
  v.Real("synchronise", s.synchronise_s, Dimension::kTime, kTime, kOptional,
         "between an operator's last result and the start of one that reads it");
  v.Real("launch", s.launch_s, Dimension::kTime, kTime, kOptional,
         "before the first command of a program");
  v.EndSection();
}

}  // namespace

void VisitMachine(FieldVisitor& v, MachineSpec& s) {
  v.Text("name", s.name, kRequired, "the name of the chip, as in the name of the file");
  v.Text("kind", s.kind, kRequired, "the kind of chip: npu, gpu or cpu");
  v.Text("description", s.description, kOptional, "one line for `siliscope list systems`");
  v.Real("clock", s.clock_hz, Dimension::kFrequency, {1e3, 1e12}, kRequired,
         "of arrays, vector units and scratchpads");
  v.Real("tdp", s.tdp_w, Dimension::kPower, {0, 1e6}, kOptional, "thermal design power");
  const std::vector<std::string> names = DataTypeNames();
  int type = static_cast<int>(s.default_dtype);
  v.Choice("default_dtype", type, names, kRequired,
           "the data type a network runs in when none is asked for");
  s.default_dtype = static_cast<DataType>(type);
  v.TextTable("runs_as", s.converted_dtypes, kOptional,
              "data types that the chip runs as another one (fp16: bf16)");
  std::map<std::string, double> peaks;
  for (const auto& [name, peak] : s.peaks) peaks[name] = peak.operations_per_s;
  v.Table("published_peak", peaks, Dimension::kOperationRate, kOptional,
          "published dense peak by data type, 2 operations a multiply-accumulate");
  std::map<std::string, double> clocks;
  for (const auto& [name, peak] : s.peaks) {
    if (peak.clock_hz != s.clock_hz) clocks[name] = peak.clock_hz;
  }
  v.Table("peak_clock", clocks, Dimension::kFrequency, kOptional,
          "the clock that a published peak is quoted at, by data type; default: clock");
  s.peaks.clear();
  for (const auto& [name, value] : peaks) {
    const auto clock = clocks.find(name);
    s.peaks[name] = PeakSpec{value, clock == clocks.end() ? s.clock_hz : clock->second};
  }
}

void VisitNpu(FieldVisitor& v, NpuSpec& s) {
  v.Integer("cores", s.cores, {1, 1024}, kOptional, "cores that share memory and host link");
  if (v.BeginSection("array", kRequired, "the systolic arrays of a core")) {
    VisitArray(v, s.array);
    v.EndSection();
  }
  VisitScratchpad(v, "unified_buffer", s.unified, "one scratchpad for all operands of a core");
  VisitScratchpad(v, "input_buffer", s.input, "scratchpad of streamed operands");
  VisitScratchpad(v, "weight_buffer", s.weight, "scratchpad of stationary operands");
  VisitScratchpad(v, "output_buffer", s.output, "scratchpad of results");
  if (v.BeginSection("accumulators", kOptional, "partial sums beside each array")) {
    v.Integer("rows", s.accumulators.rows, {1, 1 << 24}, kRequired,
              "rows of `columns` sums of each array");
    v.Integer("width", s.accumulators.width_bits, {8, 64}, kOptional, "bits of a sum");
    v.EndSection();
  }
  if (v.BeginSection("weight_fifo", kOptional, "weights flow from memory straight to the array")) {
    v.Integer("tiles", s.weight_fifo_tiles, {1, 4096}, kRequired, "weight tiles it holds");
    v.EndSection();
  }
  VisitVector(v, s.vector);
  VisitMovement(v, s);
  VisitMapping(v, s.mapping);
}

void VisitMemory(FieldVisitor& v, DramSpec& s) {
  v.Text("kind", s.kind, kRequired, "a device of configs/memory (ddr3-2133, hbm2-2000), or ideal");
  v.Integer("channels", s.channels, {1, 4096}, kOptional,
            "channels of all devices (HBM: pseudo channels)");
  v.Bytes("capacity", s.capacity_bytes, kNotNegative, kOptional, "0 = without limit");
  v.Bytes("interleave", s.interleave_bytes, {32, 1 << 20}, kOptional,
          "consecutive bytes that lie in one channel");
  v.Bytes("bank_interleave", s.mapping.bank_interleave_bytes, {0, 1 << 20}, kOptional,
          "consecutive bytes of one bank, then comes the next bank group; 0 = one burst");
  v.Integer("ranks", s.mapping.ranks, {1, 16}, kOptional,
            "of a channel, each with banks of its own (HBM: stack IDs; two in a stack of eight)");
  v.Flag("hashed", s.mapping.hashed, kOptional,
         "channels are a hash of the address, so that strides spread");
  v.Flag("first_ready", s.mapping.first_ready, kOptional,
         "requests that hit an open row go before the one that closes it (needs bank_interleave)");
  v.Bytes("write_batch", s.mapping.write_batch_bytes, {0, 1 << 20}, kOptional,
          "written bytes that a channel gathers before it turns its bus around; 0 = none");
  v.Flag("bank_refresh", s.mapping.bank_refresh, kOptional,
         "banks are refreshed one by one, not all together (needs bank_interleave and trfcsb_ns)");
  v.Real(
      "row_timeout", s.mapping.row_timeout_s, Dimension::kTime, kTime, kOptional,
      "an open row is closed after so long without a request (needs bank_interleave); 0 = never");
  v.Real("data_rate", s.timing.data_rate_t_per_s, Dimension::kTransferRate, {0, 1e12}, kOptional,
         "transfers a second and pin, where the chip runs its devices at another rate");
  v.Real("bandwidth", s.ideal_bandwidth_bytes_per_s, Dimension::kBandwidth, kNotNegative, kOptional,
         "of an ideal memory; 0 = without limit");
  v.Real("latency", s.ideal_latency_s, Dimension::kTime, kTime, kOptional, "of an ideal memory");
  v.Real("controller_latency", s.controller_latency_s, Dimension::kTime, kTime, kOptional,
         "on-chip way to the memory controller and back");
}

void VisitDramTiming(FieldVisitor& v, DramTiming& t) {
  constexpr Range kNanoseconds{0, 1e6};
  v.Real("data_rate", t.data_rate_t_per_s, Dimension::kTransferRate, {1e6, 1e12}, kRequired,
         "transfers a second and pin");
  v.Integer("bus_bits", t.bus_bits, {8, 4096}, kRequired, "data pins of a channel");
  v.Integer("burst_length", t.burst_length, {1, 64}, kRequired, "transfers of a column access");
  v.Integer("bank_groups", t.bank_groups, {1, 64}, kRequired, "bank groups of a channel");
  v.Integer("banks", t.banks, {1, 1024}, kRequired, "banks of a channel, over all groups");
  v.Bytes("row", t.row_bytes, {64, 1 << 24}, kRequired, "bytes an activation opens in a channel");
  const auto ns = [&](const char* key, double& field, const char* meaning) {
    v.Real(key, field, Dimension::kPlain, kNanoseconds, kRequired, meaning);
  };
  ns("trcd_ns", t.trcd_ns, "activate to column access");
  ns("trp_ns", t.trp_ns, "precharge to activate");
  ns("tras_ns", t.tras_ns, "activate to precharge");
  ns("tcl_ns", t.tcl_ns, "read command to data");
  ns("tcwl_ns", t.tcwl_ns, "write command to data");
  ns("tccd_l_ns", t.tccd_l_ns, "column to column in one bank group; 0 = the burst");
  ns("trrd_ns", t.trrd_ns, "activate to activate of another bank");
  ns("tfaw_ns", t.tfaw_ns, "window that holds at most four activates");
  ns("twr_ns", t.twr_ns, "end of write data to precharge");
  ns("twtr_ns", t.twtr_ns, "end of write data to read command");
  ns("trtp_ns", t.trtp_ns, "read command to precharge");
  ns("trefi_ns", t.trefi_ns, "between two refreshes");
  ns("trfc_ns", t.trfc_ns, "of an all-bank refresh");
  v.Real("trfcsb_ns", t.trfcsb_ns, Dimension::kPlain, kNanoseconds, kOptional,
         "of a refresh of one bank; 0 = the device has none");
}

}  // namespace siliscope
