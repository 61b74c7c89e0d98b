// SPDX-License-Identifier: Apache-2.0
// siliscope store: the measured costs of tiles that later runs reuse.
#include <fmt/format.h>

#include "sim/cli/commands.h"
#include "sim/core/disk_store.h"

namespace siliscope {

void ShowStore(bool clear) {
  const std::string path = DiskStore::UsersPath();
  if (path.empty()) {
    fmt::print("no store: SILISCOPE_STORE is off\n");
    return;
  }
  DiskStore store(path, "");
  if (clear) store.Clear();
  fmt::print("{}: {} costs of tiles\n", path, store.Count());
}

}  // namespace siliscope
