// SPDX-License-Identifier: Apache-2.0
#include "sim/run/output_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "sim/core/error.h"

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE (1 << 1)
#endif

namespace siliscope {
namespace {

namespace fs = std::filesystem;

/// Marks a folder as a result that may be replaced.
constexpr const char* kMark = ".siliscope";

std::set<std::string>& Staged() {
  static std::set<std::string> folders;
  return folders;
}

std::string WithoutSlash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

}  // namespace

OutputFolder::OutputFolder(const std::string& path) : path_(WithoutSlash(path)) {
  if (path_.empty()) throw UserError("--out: an empty name");
  std::error_code error;
  if (fs::exists(path_, error)) {
    if (!fs::is_directory(path_, error)) throw UserError(path_ + ": is a file, not a folder");
    if (!fs::is_empty(path_, error) && !fs::exists(path_ + "/" + kMark, error)) {
      throw UserError(path_ + ": this folder holds something else; give --out another one");
    }
  }
  const fs::path parent = fs::absolute(path_, error).parent_path();
  fs::create_directories(parent, error);
  staging_ =
      (parent / ("." + fs::path(path_).filename().string() + ".part" + std::to_string(::getpid())))
          .string();
  fs::remove_all(staging_, error);
  if (!fs::create_directory(staging_, error)) {
    throw WriteError(path_ + ": can't be written: " + error.message());
  }
  Staged().insert(staging_);
  Write(kMark, "results of siliscope; replaced by the next run with the same --out\n");
}

OutputFolder::~OutputFolder() {
  if (committed_) return;
  std::error_code ignored;
  fs::remove_all(staging_, ignored);
  Staged().erase(staging_);
}

void OutputFolder::Write(const std::string& name, const std::string& text) const {
  const fs::path file = fs::path(staging_) / name;
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << text;
  out.flush();
  if (!out) throw WriteError(path_ + "/" + name + ": can't be written: " + std::strerror(errno));
}

void OutputFolder::Commit() {
  std::error_code error;
  if (fs::exists(path_, error)) {
    // The old folder and the new one change places in one step.
    if (::renameat2(AT_FDCWD, staging_.c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE) != 0) {
      fs::remove_all(path_, error);
      fs::rename(staging_, path_, error);
    } else {
      std::error_code ignored;
      fs::remove_all(staging_, ignored);
    }
  } else {
    fs::rename(staging_, path_, error);
  }
  if (error) throw WriteError(path_ + ": can't be written: " + error.message());
  committed_ = true;
  Staged().erase(staging_);
}

void WriteFileWhole(const std::string& path, const std::string& text) {
  const fs::path target(path);
  std::error_code error;
  if (!target.parent_path().empty()) fs::create_directories(target.parent_path(), error);
  const std::string part =
      (target.parent_path() / ("." + target.filename().string() + ".part")).string();
  {
    std::ofstream out(part, std::ios::binary | std::ios::trunc);
    out << text;
    out.flush();
    if (!out) {
      const std::string why = std::strerror(errno);
      fs::remove(part, error);
      throw WriteError(path + ": can't be written: " + why);
    }
  }
  fs::rename(part, target, error);
  if (error) {
    std::error_code ignored;
    fs::remove(part, ignored);
    throw WriteError(path + ": can't be written: " + error.message());
  }
}

void RemoveStagedFolders() {
  std::error_code ignored;
  for (const std::string& folder : Staged()) fs::remove_all(folder, ignored);
}

}  // namespace siliscope
