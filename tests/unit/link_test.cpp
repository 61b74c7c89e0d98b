// SPDX-License-Identifier: Apache-2.0
// A link flit by flit, against its format and against its tile zoom.
#include "models/interconnect/link.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "models/interconnect/link_cycle.h"
#include "sim/config/cluster_loader.h"
#include "sim/contract/link_recorder.h"

namespace siliscope {
namespace {

LinkRecording Record(const LinkSpec& spec, const LinkLoad& load) {
  return LinkRecorderRegistry::Instance().Get("model", "link")(spec, load);
}
LinkSpec Kind(const std::string& name) { return LoadLinkKind(name, "test"); }

/// Data of all flits of the packets that carry it.
double Efficiency(const LinkFlits& f) {
  return static_cast<double>(f.data_flits) / static_cast<double>(f.data_flits + f.header_flits);
}

// NVIDIA, Pascal whitepaper (2016); the course's E76: one header flit of 16 B before the data.
TEST(Link, PacketEfficiencyOfTheFirstGeneration) {
  LinkLoad load;
  load.bytes = 1 << 20;
  load.packet_bytes = 256;
  EXPECT_NEAR(Kind("nvlink1").PacketEfficiency(256), 16.0 / 17, 1e-9);
  EXPECT_NEAR(Kind("nvlink1").PacketEfficiency(64), 4.0 / 5, 1e-9);
  // The message begins with the address in full.
  EXPECT_EQ(Record(Kind("nvlink1"), load).directions[0].header_flits, (1 << 20) / 256 + 1);
  load.packet_bytes = 64;
  EXPECT_EQ(Record(Kind("nvlink1"), load).directions[0].header_flits, (1 << 20) / 64 + 1);
  EXPECT_NEAR(Efficiency(Record(Kind("nvlink1"), load).directions[0]), 4.0 / 5, 1e-4);
}

// The same: packets have 1 to 18 flits, with an address and a byte enable flit each.
TEST(Link, PartsOfAFlitNeedByteEnables) {
  const LinkSpec spec = Kind("nvlink1");
  EXPECT_EQ(spec.PacketFlits(256) + spec.address_flits, 18);
  EXPECT_EQ(spec.PacketFlits(20), 1 + 1 + 2);
  EXPECT_EQ(spec.WireBytes(256 + 20, 256), 16 * (1 + 17 + 4));
  LinkLoad load;
  load.bytes = 20 * 100;
  load.packet_bytes = 20;
  const LinkFlits flits = Record(spec, load).directions[0];
  EXPECT_EQ(flits.header_flits, 1 + 2 * 100);
  EXPECT_EQ(flits.data_flits, 2 * 100);
}

// Responses of what comes take places of what goes: 8 data flits of 9, or of 10.
TEST(Link, BothDirectionsAtOnceAreSlowerThanOne) {
  const LinkSpec spec = Kind("nvlink2");
  LinkLoad load;
  load.bytes = 4 << 20;
  EXPECT_NEAR(Record(spec, load).data_bytes_per_s / spec.bytes_per_s, 8.0 / 9, 0.01);
  load.both_directions = true;
  EXPECT_NEAR(Record(spec, load).data_bytes_per_s / spec.bytes_per_s, 8.0 / 10, 0.01);
  load.reads = true;  // requests are two flits
  EXPECT_NEAR(Record(spec, load).data_bytes_per_s / spec.bytes_per_s, 8.0 / 11, 0.01);
}

TEST(Link, BothZoomsAgreeForEveryKind) {
  for (const std::string& name : ListLinkKinds()) {
    LinkSpec spec = Kind(name);
    LinkLoad load;
    load.packet_bytes = spec.store_bytes;
    // Long beside the latency, whose every part only the cycle zoom has.
    const auto long_bytes = static_cast<std::int64_t>(50 * spec.latency_s * spec.bytes_per_s);
    load.bytes = std::max<std::int64_t>(1 << 20, long_bytes / 65536 * 65536);
    for (const bool both : {false, true}) {
      for (const bool reads : {false, true}) {
        load.both_directions = both;
        load.reads = reads;
        const LinkRecording r = Record(spec, load);
        EXPECT_NEAR(r.tile_seconds / r.cycle_seconds, 1, 0.03) << name << both << reads;
        EXPECT_EQ(r.directions[0].data_bytes, load.bytes) << name;
        EXPECT_EQ(r.directions[0].replayed_flits, 0) << name;
      }
    }
  }
}

// Little's law: what is on its way is what the receiver has room for.
TEST(Link, FewCreditsLimitTheRate) {
  LinkSpec spec = Kind("nvlink1");
  spec.credits = 27;  // three packets of nine flits
  LinkLoad load;
  load.bytes = 1 << 18;
  const LinkRecording r = Record(spec, load);
  const double round_trip_s = 2 * spec.latency_s + 9 * 16 / spec.bytes_per_s;
  EXPECT_NEAR(r.data_bytes_per_s, 3 * 128 / round_trip_s, 0.05 * 3 * 128 / round_trip_s);
  EXPECT_GT(r.directions[0].credit_wait_cycles, r.directions[0].data_flits);
}

TEST(Link, BothZoomsAgreeWhereCreditsOrErrorsCost) {
  LinkLoad load;
  load.bytes = 8 << 20;
  for (const char* name : {"nvlink1", "nvlink4"}) {
    for (const std::int64_t packets : {2, 5, 10, 20, 60}) {
      LinkSpec spec = Kind(name);
      spec.credits = packets * spec.PacketFlits(spec.store_bytes);
      const LinkRecording r = Record(spec, load);
      EXPECT_NEAR(r.tile_seconds / r.cycle_seconds, 1, 0.03) << name << packets;
    }
    for (const double rate : {1e-9, 1e-7, 1e-6}) {
      LinkSpec spec = Kind(name);
      spec.bit_error_rate = rate;
      const LinkRecording r = Record(spec, load);
      EXPECT_NEAR(r.tile_seconds / r.cycle_seconds, 1, 0.03) << name << rate;
    }
  }
}

TEST(Link, WeightsShareTheWireAtBothZooms) {
  // Two classes that always have four bursts to send: of weights 3 and 1 they get 3/4 and 1/4.
  const LinkSpec spec = Kind("nvlink4");
  constexpr std::int64_t kBurst = 16384, kBursts = 3000;
  constexpr std::array<double, 2> kWeights = {3, 1};
  LinkCycle cycle(spec, 1);
  for (std::int64_t at = 0; at < kBurst * kBursts; at += spec.store_bytes) {
    for (std::size_t c : {0, 1}) {
      cycle.WritePacket(0, spec.store_bytes, spec.response_flits, false, c, kWeights[c]);
    }
  }
  while (cycle.counters(0).class_bytes[0] < kBurst * kBursts) cycle.Step();
  EXPECT_NEAR(static_cast<double>(cycle.counters(0).class_bytes[1]) / (kBurst * kBursts), 1.0 / 3,
              0.01);
  LinkDirection forward("forward", spec, 1, 0), back("back", spec, 1, 0);
  forward.AnswerOn(&back);
  using Turn = std::pair<Tick, std::size_t>;  // when a lane has room again, its class
  std::priority_queue<Turn, std::vector<Turn>, std::greater<>> lanes;
  for (int lane = 0; lane < 4; ++lane) {
    for (std::size_t c : {0, 1}) lanes.push({0, c});
  }
  std::array<std::int64_t, 2> bursts{};
  Tick end = 0;
  while (bursts[0] < kBursts) {
    const auto [when, c] = lanes.top();
    lanes.pop();
    const Passage p = forward.Pass({when, when, kBurst, false, false, static_cast<std::uint8_t>(c),
                                    static_cast<float>(kWeights[c])});
    ++bursts[c];
    end = std::max(end, p.served);
    lanes.push({p.served, c});
  }
  EXPECT_NEAR(static_cast<double>(bursts[1]) / kBursts, 1.0 / 3, 0.01);
  // Nobody gets what the wire doesn't have.
  const double least =
      static_cast<double>((bursts[0] + bursts[1]) * spec.WireBytes(kBurst, spec.store_bytes)) /
      spec.bytes_per_s;
  EXPECT_NEAR(ToSeconds(end) / least, 1, 0.01);
}

TEST(Link, DamagedPacketsAreReplayedAndNothingIsLost) {
  LinkSpec spec = Kind("nvlink1");
  LinkLoad load;
  load.bytes = 4 << 20;
  load.both_directions = true;
  const double whole = Record(spec, load).seconds;
  double before = whole;
  for (const double rate : {1e-7, 1e-6, 1e-5}) {
    spec.bit_error_rate = rate;
    const LinkRecording r = Record(spec, load);
    EXPECT_EQ(r.directions[0].data_bytes, load.bytes);
    EXPECT_EQ(r.directions[1].data_bytes, load.bytes);
    // 10 flits of 128 bits for each 128 B.
    const double bits = 2.0 * (4 << 20) / 128 * 10 * 128;
    const double errors = static_cast<double>(r.directions[0].errors + r.directions[1].errors);
    EXPECT_GT(errors, 0.5 * bits * rate - 3);
    EXPECT_GT(r.directions[0].replayed_flits, r.directions[0].errors);
    EXPECT_GE(r.seconds, before);
    before = r.seconds;
  }
  EXPECT_GT(before, 1.1 * whole);
}

// Where every second packet is damaged, acknowledgements and requests to replay are lost, too.
TEST(Link, LostAcknowledgementsAreRecovered) {
  LinkSpec spec = Kind("nvlink1");
  spec.bit_error_rate = 5e-4;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    LinkLoad load;
    load.bytes = 1 << 15;
    load.both_directions = seed % 2 == 0;
    load.seed = seed;
    const LinkRecording r = Record(spec, load);
    EXPECT_EQ(r.directions[0].data_bytes, load.bytes);
    EXPECT_GT(r.directions[0].errors, 50);
  }
}

TEST(Link, TheSameSeedGivesTheSameCycles) {
  LinkSpec spec = Kind("nvlink1");
  spec.bit_error_rate = 1e-6;
  LinkLoad load;
  load.bytes = 4 << 20;
  const LinkRecording a = Record(spec, load), b = Record(spec, load);
  EXPECT_EQ(a.cycles, b.cycles);
  load.seed = 2;
  EXPECT_NE(Record(spec, load).cycles, a.cycles);
}

}  // namespace
}  // namespace siliscope
