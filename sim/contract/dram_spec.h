// SPDX-License-Identifier: Apache-2.0
// An off-chip memory: the timing of its devices and how many channels a chip has of them.
#pragma once

#include <cstdint>
#include <string>

namespace siliscope {

/// Timing of one channel (HBM: one pseudo channel). Names follow JEDEC; times in nanoseconds.
struct DramTiming {
  double data_rate_t_per_s = 0;   ///< transfers per second and pin
  std::int64_t bus_bits = 64;     ///< data pins of a channel
  std::int64_t burst_length = 8;  ///< transfers a column access
  std::int64_t bank_groups = 1;
  std::int64_t banks = 8;         ///< in all, over the bank groups
  std::int64_t row_bytes = 8192;  ///< bytes that one activation opens in a channel
  double trcd_ns = 0;             ///< activate to column access
  double trp_ns = 0;              ///< precharge to activate
  double tras_ns = 0;             ///< activate to precharge
  double tcl_ns = 0;              ///< read command to data
  double tcwl_ns = 0;             ///< write command to data
  double tccd_l_ns = 0;           ///< column to column in one bank group
  double trrd_ns = 0;             ///< activate to activate, other bank
  double tfaw_ns = 0;             ///< window that holds at most four activates
  double twr_ns = 0;              ///< end of write data to precharge
  double twtr_ns = 0;             ///< end of write data to read command
  double trtp_ns = 0;             ///< read command to precharge
  double trefi_ns = 0;            ///< time between refreshes
  double trfc_ns = 0;             ///< duration of an all-bank refresh
  double trfcsb_ns = 0;           ///< duration of a refresh of one bank; 0 = the device has none
};

/// How addresses, writes and refreshes are spread; of the controller and the package, not of the
/// device.
struct DramMapping {
  /// Consecutive bytes of one bank, then the next bank group: 0 = bursts go round the groups.
  std::int64_t bank_interleave_bytes = 0;
  std::int64_t ranks = 1;    ///< of a channel (HBM: stack IDs), each with banks of its own
  bool hashed = false;       ///< channels are a hash of the address
  bool first_ready = false;  ///< requests that hit a row go before the one that closes it, and
                             ///< rows stay open while others are written
  std::int64_t write_batch_bytes = 0;  ///< that a channel gathers before it turns around; 0 = none
  bool bank_refresh = false;           ///< banks are refreshed one by one, not all together
  /// Requests come out of the order of their times, from cores that are simulated one after
  /// another: one that was ready before others finds banks as they were then. Set by their chip.
  bool scattered = false;
  double row_timeout_s = 0;  ///< an open row is closed after so long without a request; 0 = never
};

struct DramSpec {
  std::string kind = "ideal";  ///< a file of configs/memory, or "ideal"
  DramTiming timing;
  std::int64_t channels = 1;  ///< HBM: pseudo channels of all stacks
  std::int64_t capacity_bytes = 0;
  std::int64_t interleave_bytes = 256;  ///< consecutive bytes of one channel
  DramMapping mapping;
  double ideal_bandwidth_bytes_per_s = 0;  ///< "ideal" only; 0 = without limit
  double ideal_latency_s = 0;              ///< "ideal" only
  double controller_latency_s = 0;         ///< request to command and data to requester

  bool ideal() const { return kind == "ideal"; }

  /// Peak of all channels; 0 = without limit.
  double PeakBytesPerSecond() const {
    if (ideal()) return ideal_bandwidth_bytes_per_s;
    return timing.data_rate_t_per_s * static_cast<double>(timing.bus_bits) / 8 *
           static_cast<double>(channels);
  }
};

}  // namespace siliscope
