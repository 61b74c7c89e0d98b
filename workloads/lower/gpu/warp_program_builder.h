// SPDX-License-Identifier: Apache-2.0
// Writes warp programs, an instruction at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "sim/contract/gpu_program.h"

namespace siliscope {

class WarpProgramBuilder {
 public:
  WarpInstruction& Add(WarpOpcode op) {
    WarpInstruction in;
    in.op = op;
    program_.instructions.push_back(in);
    return program_.instructions.back();
  }
  WarpInstruction& Add(WarpOpcode op, int destination, int a = kNoRegister, int b = kNoRegister,
                       int c = kNoRegister) {
    WarpInstruction& in = Add(op);
    in.destination = static_cast<std::uint8_t>(destination);
    in.sources = {static_cast<std::uint8_t>(a), static_cast<std::uint8_t>(b),
                  static_cast<std::uint8_t>(c)};
    return in;
  }
  WarpInstruction& WithOperand(WarpOpcode op, std::int32_t operand) {
    WarpInstruction& in = Add(op);
    in.operand = operand;
    return in;
  }
  /// A load or store; `registers` are written (loads) or read.
  WarpInstruction& Memory(WarpOpcode op, std::uint16_t access, int reg, int registers = 1) {
    const bool store = op == WarpOpcode::kStoreGlobal || op == WarpOpcode::kStoreShared;
    WarpInstruction& in = store ? Add(op, kNoRegister, reg) : Add(op, reg);
    in.destinations = static_cast<std::uint8_t>(registers);
    in.access = access;
    return in;
  }
  std::uint16_t Access(const WarpAccess& access) {
    program_.accesses.push_back(access);
    return static_cast<std::uint16_t>(program_.accesses.size() - 1);
  }
  /// Accesses of a warp, in 16-byte lanes, that with those of the others cover a band of rows of
  /// `row_bytes`.
  std::vector<std::uint16_t> Band(std::uint16_t stream, double row_bytes, std::int64_t warps,
                                  std::int64_t count) {
    WarpAccess access;
    access.stream = stream;
    access.bytes_per_lane = 16;
    const auto lanes = static_cast<std::int64_t>(row_bytes / 16);
    access.lanes_per_row = static_cast<std::uint8_t>(std::clamp<std::int64_t>(lanes, 1, 32));
    access.warp_rows = 32 / access.lanes_per_row;
    const std::int64_t in_row = std::max<std::int64_t>(1, lanes / 32);  // along a row
    std::vector<std::uint16_t> accesses;
    for (std::int64_t i = 0; i < count; ++i) {
      access.offset = i % in_row * 512;
      access.row = i / in_row * warps * access.warp_rows;
      accesses.push_back(Access(access));
    }
    return accesses;
  }
  const WarpAccess& AccessAt(std::uint16_t access) const { return program_.accesses[access]; }
  /// Integer work that nothing waits for: addresses, predicates, loop counters.
  void Overhead(int instructions, int reg = 0) {
    for (int i = 0; i < instructions; ++i) Add(WarpOpcode::kInteger, reg + i % 4);
  }
  /// A dependent chain of integer work.
  void Chain(int instructions, int reg = 0) {
    for (int i = 0; i < instructions; ++i) Add(WarpOpcode::kInteger, reg, reg);
  }
  std::int32_t Here() const { return static_cast<std::int32_t>(program_.instructions.size()); }
  /// Back to `target` for every step of a pass.
  void LoopPass(std::int32_t target, int pass) {
    WarpInstruction& in = WithOperand(WarpOpcode::kLoop, target);
    in.pass = static_cast<std::int16_t>(pass);
  }
  void Loop(std::int32_t target, int trips) {
    WithOperand(WarpOpcode::kLoop, target).trips = trips;
  }
  /// Of each thousand lanes `taken` do what `on` writes, the others what `off` writes; a
  /// kReconverge has to follow.
  template <typename On, typename Off>
  void Branch(std::int32_t taken, On on, Off off) {
    const auto branch = static_cast<std::size_t>(Here());
    Add(WarpOpcode::kBranch).trips = taken;
    on();
    const auto end_of_on = static_cast<std::size_t>(Here());
    Add(WarpOpcode::kElse);
    program_.instructions[branch].operand = Here();
    off();
    program_.instructions[end_of_on].operand = Here();
  }
  void Phase(int pass) { WithOperand(WarpOpcode::kPhase, pass); }
  /// What every kernel begins with: parameters, indices, pointers.
  void Prologue(int instructions) {
    Add(WarpOpcode::kLoadConstant, 0);
    Add(WarpOpcode::kLoadConstant, 1).operand = 32;
    Add(WarpOpcode::kInteger, 2, 0, 1);
    Chain(instructions / 3, 2);
    Overhead(instructions - instructions / 3, 4);
  }
  WarpProgram Finish() {
    Add(WarpOpcode::kExit);
    return std::move(program_);
  }

 private:
  WarpProgram program_;
};

}  // namespace siliscope
