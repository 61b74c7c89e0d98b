// SPDX-License-Identifier: Apache-2.0
// A kind of link between chips: its rate and what its packets look like (configs/links).
#pragma once

#include <cstdint>
#include <string>

namespace siliscope {

/// Both directions are alike and move at the same time. Source of the format: NVIDIA, "Pascal
/// Architecture Whitepaper" (2016) and Foley and Danskin, IEEE Micro 37-2 (2017); each file names
/// its own.
struct LinkSpec {
  std::string name;
  std::string description;
  double bytes_per_s = 0;              ///< of one direction of one link, all flits counted
  std::int64_t flit_bytes = 16;        ///< what is sent at a time
  std::int64_t data_flits = 16;        ///< a packet holds at most
  std::int64_t header_flits = 1;       ///< of a packet, its address and check sum included
  std::int64_t address_flits = 0;      ///< of a message's first packet: the address in full
  std::int64_t byte_enable_flits = 0;  ///< of a packet that doesn't fill its last flit
  std::int64_t response_flits = 1;     ///< in the opposite direction, for each packet
  std::int64_t request_flits = 2;      ///< of a read, in the opposite direction of its data
  std::int64_t store_bytes = 128;      ///< a packet's data where a processor stores
  std::int64_t copy_bytes = 256;       ///< where a copy engine moves
  double latency_s = 0;                ///< of a packet's first flit, over the wire and its two ends
  std::int64_t credits = 0;            ///< flits of the receiver's buffer, of each virtual channel
  std::int64_t replay_packets = 0;     ///< kept until they are acknowledged
  double bit_error_rate = 0;

  std::int64_t FlitsOf(std::int64_t bytes) const { return (bytes + flit_bytes - 1) / flit_bytes; }
  /// Of a packet that carries so many bytes of data.
  std::int64_t PacketFlits(std::int64_t bytes) const {
    return header_flits + (bytes % flit_bytes != 0 ? byte_enable_flits : 0) + FlitsOf(bytes);
  }
  /// Bytes on the wire for a message of `bytes` of data in packets of `packet_bytes`; a part counts
  /// as a packet.
  std::int64_t WireBytes(std::int64_t bytes, std::int64_t packet_bytes) const {
    const std::int64_t whole = bytes / packet_bytes, rest = bytes % packet_bytes;
    std::int64_t flits = address_flits + whole * PacketFlits(packet_bytes);
    if (rest > 0) flits += PacketFlits(rest);
    return flits * flit_bytes;
  }
  /// Bytes in the opposite direction: responses of writes, or requests of reads.
  std::int64_t OppositeBytes(std::int64_t bytes, std::int64_t packet_bytes, bool reads) const {
    const std::int64_t packets = (bytes + packet_bytes - 1) / packet_bytes;
    return packets * (reads ? request_flits : response_flits) * flit_bytes;
  }
  /// Data of all bytes of a packet: 16/17 where 256 B follow one header flit.
  double PacketEfficiency(std::int64_t packet_bytes) const {
    return static_cast<double>(packet_bytes) /
           static_cast<double>(PacketFlits(packet_bytes) * flit_bytes);
  }
};

}  // namespace siliscope
