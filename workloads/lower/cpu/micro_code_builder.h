// SPDX-License-Identifier: Apache-2.0
// Writes codes of micro-operations, one at a time.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "sim/contract/cpu_program.h"

namespace siliscope {

class MicroCodeBuilder {
 public:
  explicit MicroCodeBuilder(std::string name) { code_.name = std::move(name); }

  MicroOp& Add(MicroOpClass op, int destination, int a = kNoCpuRegister, int b = kNoCpuRegister,
               int c = kNoCpuRegister) {
    MicroOp micro;
    micro.op = op;
    micro.destination = static_cast<std::uint8_t>(destination);
    micro.sources = {static_cast<std::uint8_t>(a), static_cast<std::uint8_t>(b),
                     static_cast<std::uint8_t>(c)};
    code_.ops.push_back(micro);
    return code_.ops.back();
  }
  MicroOp& Load(int destination, int pointer, std::int64_t offset, std::int64_t bytes) {
    MicroOp& op = Add(MicroOpClass::kLoad, destination, PointerRegister(pointer));
    op.pointer = static_cast<std::uint8_t>(pointer);
    op.offset = offset;
    op.bytes = static_cast<std::uint16_t>(bytes);
    return op;
  }
  void Prefetch(int level, int pointer, std::int64_t offset, std::int64_t bytes) {
    Load(kNoCpuRegister, pointer, offset, bytes).prefetch_level = static_cast<std::uint8_t>(level);
  }
  MicroOp& Store(int source, int pointer, std::int64_t offset, std::int64_t bytes) {
    MicroOp& op = Add(MicroOpClass::kStore, kNoCpuRegister, source, PointerRegister(pointer));
    op.pointer = static_cast<std::uint8_t>(pointer);
    op.offset = offset;
    op.bytes = static_cast<std::uint16_t>(bytes);
    return op;
  }
  void Advance(int pointer, std::int64_t bytes) {
    const int reg = PointerRegister(pointer);
    MicroOp& op = Add(MicroOpClass::kInteger, reg, reg);
    op.pointer = static_cast<std::uint8_t>(pointer);
    op.advance = bytes;
  }
  std::int32_t Here() const { return static_cast<std::int32_t>(code_.ops.size()); }
  /// Back to `target` for the trips of the call's loop `loop`: a counter, and a branch on it.
  void Loop(std::int32_t target, int loop) {
    const int counter = kFirstCounter + loop;
    Add(MicroOpClass::kInteger, counter, counter);
    MicroOp& op = Add(MicroOpClass::kBranch, kNoCpuRegister, counter);
    op.target = target;
    op.loop = static_cast<std::uint8_t>(loop);
  }
  CpuCode Finish() { return std::move(code_); }

 private:
  static constexpr int kFirstPointer = 200, kFirstCounter = 240;
  static int PointerRegister(int pointer) { return kFirstPointer + pointer; }

  CpuCode code_;
};

}  // namespace siliscope
