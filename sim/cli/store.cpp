// SPDX-License-Identifier: Apache-2.0
// siliscope store: the measured costs of tiles that later runs reuse.
#include <fmt/format.h>

#include <memory>

#include "sim/cli/command.h"
#include "sim/core/disk_store.h"

namespace siliscope {

void AddStoreCommand(CLI::App& app) {
  auto* command = app.add_subcommand("store", "costs of tiles that are kept for later runs");
  const auto clear = std::make_shared<bool>(false);
  command->add_flag("--clear", *clear, "empties the store");
  command->callback([clear] {
    const std::string path = DiskStore::UsersPath();
    if (path.empty()) {
      fmt::print("no store: SILISCOPE_STORE is off\n");
      return;
    }
    DiskStore store(path, "");
    if (*clear) store.Clear();
    fmt::print("{}: {} costs of tiles\n", path, store.Count());
  });
}

}  // namespace siliscope
