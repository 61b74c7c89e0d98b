// SPDX-License-Identifier: Apache-2.0
#include "sim/core/disk_store.h"

#include <sqlite3.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

namespace siliscope {
namespace {

/// A prepared statement with its texts bound; empty where SQLite refuses it.
class Statement {
 public:
  Statement(sqlite3* database, const char* text, std::initializer_list<const std::string*> values) {
    if (sqlite3_prepare_v2(database, text, -1, &statement_, nullptr) != SQLITE_OK) return;
    int index = 0;
    for (const std::string* value : values) {
      sqlite3_bind_text(statement_, ++index, value->data(), static_cast<int>(value->size()),
                        nullptr);
    }
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  bool Row() { return statement_ != nullptr && sqlite3_step(statement_) == SQLITE_ROW; }
  void Finish() {
    while (Row()) continue;
  }
  std::string Text() const {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, 0));
    const int bytes = sqlite3_column_bytes(statement_, 0);
    return text == nullptr ? "" : std::string(text, static_cast<std::size_t>(bytes));
  }
  std::int64_t Number() const { return sqlite3_column_int64(statement_, 0); }

 private:
  sqlite3_stmt* statement_ = nullptr;
};

}  // namespace

DiskStore::DiskStore(std::string path, std::string version)
    : path_(std::move(path)), version_(std::move(version)) {}

DiskStore::~DiskStore() {
  if (process_ == getpid()) sqlite3_close(database_);
}

std::string DiskStore::UsersPath() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  std::string named = variable("SILISCOPE_STORE");
  if (named == "off") return "";
  if (!named.empty()) return named;
  std::string folder = variable("XDG_CACHE_HOME");
  if (folder.empty() && !variable("HOME").empty()) folder = variable("HOME") + "/.cache";
  return folder.empty() ? "" : folder + "/siliscope/tile_costs.sqlite";
}

bool DiskStore::Open() {
  if (path_.empty()) return false;
  if (process_ == getpid()) return !failed_;
  process_ = getpid();
  database_ = nullptr;  // a parent's stays with the parent
  std::error_code ignored;
  const std::filesystem::path folder = std::filesystem::path(path_).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, ignored);
  failed_ = sqlite3_open(path_.c_str(), &database_) != SQLITE_OK;
  if (failed_) return false;
  constexpr int kPatienceMs = 2000;
  sqlite3_busy_timeout(database_, kPatienceMs);
  Run("PRAGMA journal_mode = WAL");
  Run("PRAGMA synchronous = OFF");
  Run("CREATE TABLE IF NOT EXISTS texts (key TEXT PRIMARY KEY, version TEXT, text TEXT)");
  return !failed_;
}

void DiskStore::Run(const char* statement) {
  failed_ = sqlite3_exec(database_, statement, nullptr, nullptr, nullptr) != SQLITE_OK || failed_;
}

std::optional<std::string> DiskStore::Find(const std::string& key) {
  if (!Open()) return std::nullopt;
  Statement find(database_, "SELECT text FROM texts WHERE key = ? AND version = ?",
                 {&key, &version_});
  if (!find.Row()) return std::nullopt;
  return find.Text();
}

void DiskStore::Keep(const std::string& key, const std::string& text) {
  if (!Open()) return;
  Statement(database_, "DELETE FROM texts WHERE version <> ?", {&version_}).Finish();
  Statement(database_, "INSERT OR REPLACE INTO texts (key, version, text) VALUES (?, ?, ?)",
            {&key, &version_, &text})
      .Finish();
}

std::int64_t DiskStore::Count() {
  if (!Open()) return 0;
  Statement count(database_, "SELECT count(*) FROM texts", {});
  return count.Row() ? count.Number() : 0;
}

void DiskStore::Clear() {
  if (!Open()) return;
  Run("DELETE FROM texts");
  Run("VACUUM");
}

}  // namespace siliscope
