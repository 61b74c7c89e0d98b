// SPDX-License-Identifier: Apache-2.0
// siliscope figures: hands over to the Python side, which reads the result files and calls this
// program for what it has to simulate.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "sim/cli/commands.h"
#include "sim/config/machine_loader.h"
#include "sim/core/error.h"

namespace siliscope {
namespace {}  // namespace

int Figures(const FiguresOptions& o) {
  std::error_code error;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe", error).string();
  ::setenv("SILISCOPE_PROGRAM", self.c_str(), 1);
  ::setenv("PYTHONPATH", RootFolder().c_str(), 1);
  ::setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
  std::vector<std::string> words = {"/usr/bin/python3", "-m", "analysis", "--out", o.out};
  if (!o.of.empty()) {
    words.emplace_back("--of");
    words.push_back(o.of);
  }
  words.insert(words.end(), o.ids.begin(), o.ids.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::fflush(nullptr);
  ::execv(arguments[0], arguments.data());
  throw InternalError(std::string("/usr/bin/python3 can't be started: ") + std::strerror(errno));
}

}  // namespace siliscope
