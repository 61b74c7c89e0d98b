// SPDX-License-Identifier: Apache-2.0
// Texts under keys in a file that outlives the program, shared by processes that run at the same
// time (SQLite). What can't be opened, read or written is as if it weren't there: a store saves
// time, nothing depends on it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

struct sqlite3;

namespace siliscope {

class DiskStore {
 public:
  /// `path` may be "": a store that keeps nothing. Texts of another `version` are dropped.
  DiskStore(std::string path, std::string version);
  ~DiskStore();
  DiskStore(const DiskStore&) = delete;
  DiskStore& operator=(const DiskStore&) = delete;

  std::optional<std::string> Find(const std::string& key);
  void Keep(const std::string& key, const std::string& text);
  std::int64_t Count();
  void Clear();

  const std::string& path() const { return path_; }
  /// The file of this user: what the environment's SILISCOPE_STORE names ("off" = none), else
  /// siliscope/tile_costs.sqlite in XDG_CACHE_HOME or ~/.cache.
  static std::string UsersPath();

 private:
  bool Open();
  void Run(const char* statement);

  std::string path_, version_;
  sqlite3* database_ = nullptr;
  int process_ = 0;  ///< that opened it: a connection must not be used after a fork
  bool failed_ = false;
};

}  // namespace siliscope
