// SPDX-License-Identifier: Apache-2.0
// A folder of results that is written whole or not at all: files go to a hidden sibling, which
// takes the folder's place in one step. A folder that is not ours is refused before anything runs.
#pragma once

#include <string>

namespace siliscope {

class OutputFolder {
 public:
  /// Checks that `path` can be written and is either new, empty or an earlier result. Throws
  /// UserError for a folder of something else, WriteError where nothing can be written.
  explicit OutputFolder(const std::string& path);
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  const std::string& path() const { return path_; }
  /// Where files are written until Commit.
  const std::string& staging() const { return staging_; }
  /// Writes one file of the folder; a name may hold sub-folders. Throws WriteError.
  void Write(const std::string& name, const std::string& text) const;
  /// Puts the staged files in the folder's place.
  void Commit();

 private:
  std::string path_;
  std::string staging_;
  bool committed_ = false;
};

/// Writes a file in one step: a hidden sibling takes its place. Throws WriteError.
void WriteFileWhole(const std::string& path, const std::string& text);

/// Removes what is half-written; for the handler of Ctrl-C. Safe in a signal handler's aftermath.
void RemoveStagedFolders();

}  // namespace siliscope
