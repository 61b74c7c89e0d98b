// SPDX-License-Identifier: Apache-2.0
// The siliscope program. SystemC calls sc_main; our own main keeps its banner off the terminal.
#include <cstdlib>
#include <systemc>

#include "sim/cli/command_line.h"

int sc_main(int argc, char** argv) { return siliscope::RunCommandLine(argc, argv); }

int main(int argc, char** argv) {
  ::setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);
  return sc_core::sc_elab_and_sim(argc, argv);
}
