// SPDX-License-Identifier: Apache-2.0
#include "sim/cli/command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <sstream>
#include <systemc>

#include "sim/core/error.h"
#include "sim/core/nearest_name.h"
#include "sim/run/output_folder.h"
#include "sim/run/worker_pool.h"

namespace siliscope {
namespace {

std::string& MutableCommandText() {
  static std::string text;
  return text;
}

/// Words of the command without `--out DIR`, so that the same run gives the same files anywhere.
void KeepCommandText(int argc, char** argv) {
  std::string text = "siliscope";
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--out") {
      ++i;
    } else if (word.rfind("--out=", 0) != 0) {
      const bool plain = word.find_first_of(" \t\n\"'$&;|<>()*?[]#~\\") == std::string::npos;
      text += plain && !word.empty() ? " " + word : " '" + word + "'";
    }
  }
  for (char& c : text) {
    if (c == '\n') c = ' ';
  }
  MutableCommandText() = text;
}

extern "C" void OnInterrupt(int) {
  // Half-written results go away; nothing else was touched.
  KillWorkers();
  RemoveStagedFolders();
  std::_Exit(static_cast<int>(ExitCode::kInterrupted));
}

int Report(const std::exception& error, ExitCode code) {
  std::fflush(stdout);
  std::string line = error.what();  // names come from files: one line, whatever they hold
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  std::fprintf(stderr, "siliscope: %s\n", line.c_str());
  return static_cast<int>(code);
}

}  // namespace

const std::string& CommandText() { return MutableCommandText(); }

void AddWorkloadOptions(CLI::App& command, WorkloadOptions* options) {
  command.add_option("--batch", options->request.batch, "images, sequences or rows at a time")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 24));
  command.add_option("--seq", options->request.sequence, "length of symbolic sequence dimensions")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 24));
  command.add_option("--dtype", options->request.dtype,
                     "data type to run in (int8, bf16, int8xint16 = weights x activations)");
  command.add_option("--dim", options->dimensions, "value of a symbolic dimension, name=N");
}

WorkloadRequest ResolveWorkload(const WorkloadOptions& options) {
  WorkloadRequest request = options.request;
  for (const std::string& text : options.dimensions) {
    const std::size_t equals = text.find('=');
    std::int64_t value = 0;
    const char* begin = text.data() + (equals == std::string::npos ? text.size() : equals + 1);
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(begin, end, value);
    if (equals == 0 || equals == std::string::npos || error != std::errc() || at != end ||
        value < 1 || value > (std::int64_t{1} << 32)) {
      throw UserError("--dim " + text + ": not name=N with a whole number N from 1 on");
    }
    request.dimensions[text.substr(0, equals)] = value;
  }
  return request;
}

std::vector<Override> ParseOverrides(const std::vector<std::string>& texts) {
  std::vector<Override> overrides;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos) {
      throw UserError("--set " + text + ": not key=value, such as array.rows=128");
    }
    overrides.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return overrides;
}

std::vector<std::string> SplitList(const std::string& text) {
  std::vector<std::string> items;
  std::stringstream stream(text);
  for (std::string item; std::getline(stream, item, ',');) {
    if (!item.empty()) items.push_back(item);
  }
  return items;
}

Progress::Progress(std::string what, std::size_t total)
    : what_(std::move(what)), total_(total), shown_(total > 1 && ::isatty(STDERR_FILENO) == 1) {
  Done(0);
}
Progress::~Progress() {
  if (shown_) std::fprintf(stderr, "\r\033[K");
}
void Progress::Done(std::size_t done) {
  if (!shown_) return;
  const std::size_t bar = done * 30 / total_;
  std::fprintf(stderr, "\r%s [%s%s] %zu of %zu", what_.c_str(), std::string(bar, '#').c_str(),
               std::string(30 - bar, ' ').c_str(), done, total_);
  std::fflush(stderr);
}

/// The word of a command line that is no command or option, with the nearest that is; or "".
std::string MistakenWord(const CLI::App& app, int argc, char** argv) {
  if (argc < 2) return "";
  std::vector<std::string> commands;
  for (const CLI::App* command : app.get_subcommands({})) commands.push_back(command->get_name());
  const std::string first = argv[1];
  if (first.empty() || first[0] == '-') return "";
  if (std::find(commands.begin(), commands.end(), first) == commands.end()) {
    return "unknown command \"" + first + "\"" + Suggestion(first, commands);
  }
  std::vector<std::string> options;
  for (const CLI::Option* option : app.get_subcommand(first)->get_options()) {
    for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
  }
  for (int i = 2; i < argc; ++i) {
    const std::string word = std::string(argv[i]).substr(0, std::string(argv[i]).find('='));
    if (word.rfind("--", 0) != 0) continue;
    if (std::find(options.begin(), options.end(), word) == options.end()) {
      return fmt::format("{}: unknown option {}{}", first, word, Suggestion(word, options));
    }
  }
  return "";
}

int RunCommandLine(int argc, char** argv) {
  KeepCommandText(argc, argv);
  std::signal(SIGINT, &OnInterrupt);
  std::signal(SIGTERM, &OnInterrupt);
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app{"Siliscope: what does this chip do with this network, and why?"};
  app.name("siliscope");
  app.set_version_flag("--version", SILISCOPE_VERSION);
  app.require_subcommand(1);
  int exit_code = 0;
  AddRunCommand(app, &exit_code);
  AddCompareCommand(app, &exit_code);
  AddOperatorCommands(app, &exit_code);
  AddFiguresCommand(app, &exit_code);
  AddListCommand(app);
  AddExplainCommand(app);
  AddCheckCommand(app, &exit_code);
  AddSchemaCommand(app);
  AddWavefrontCommand(app);
  AddStoreCommand(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    const std::string mistake = MistakenWord(app, argc, argv);
    std::fprintf(stderr, "siliscope: %s (siliscope --help lists commands and options)\n",
                 mistake.empty() ? e.what() : mistake.c_str());
    return static_cast<int>(ExitCode::kUserMistake);
  } catch (const Error& e) {
    return Report(e, e.code());
  } catch (const sc_core::sc_report& e) {
    return Report(e, ExitCode::kOurFault);
  } catch (const std::bad_alloc& e) {
    std::fprintf(stderr, "siliscope: out of memory\n");
    return static_cast<int>(ExitCode::kOurFault);
  } catch (const std::exception& e) {
    return Report(e, ExitCode::kOurFault);
  }
  return exit_code;
}

}  // namespace siliscope
