// SPDX-License-Identifier: Apache-2.0
// The vector unit: lanes x sublanes positions, some ALUs each. A command over rows x columns
// elements takes ceil(rows / sublanes) x ceil(columns / lanes) positions (the padding of partly
// filled vectors is paid), each for the cycles of its functions; reductions across the lanes add
// log2(lanes) steps a vector; loads and stores share the scratchpad's ports with everybody else.
#pragma once

#include <systemc>
#include <vector>

#include "models/memory/scratchpad.h"
#include "sim/contract/program.h"

namespace siliscope {

/// Cycles a vector command occupies the unit, without waiting for ports.
double VectorCycles(const VectorUnitSpec& spec, const VectorWork& work, std::int64_t rows,
                    std::int64_t columns);

class VectorUnit : public sc_core::sc_module {
 public:
  sc_core::sc_port<ScratchpadPort> operands{"operands"};

  VectorUnit(const sc_core::sc_module_name& name, const VectorUnitSpec& spec, Clock clock,
             bool ideal);

  struct Times {
    Tick start = 0;
    Tick busy_end = 0;  ///< the next command may start
    Tick complete = 0;
    double port_share = 0;  ///< of the time in the unit, what the scratchpad's ports add
  };
  Tick free_at() const { return busy_.free_at(); }
  Times Execute(Tick now, const VectorWork& work, std::int64_t rows, std::int64_t columns);
  double operations() const { return operations_; }

 private:
  VectorUnitSpec spec_;
  Clock clock_;
  bool ideal_;
  Timeline busy_;
  double operations_ = 0;
};

}  // namespace siliscope
