// SPDX-License-Identifier: Apache-2.0
// What can go wrong, and the exit code that says so (README, "Exit codes"). A user's mistake is one
// line: where it is, what is wrong, what is allowed.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace siliscope {

enum class ExitCode : int {
  kDone = 0,
  kUserMistake = 2,
  kSomeRowsFailed = 3,
  kDoesNotFit = 4,
  kOurFault = 70,
  kCannotWrite = 74,
  kInterrupted = 130,
};

/// An error that ends the command with `code` after printing `what()`.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

/// The user's mistake: the message names the place and what is allowed there.
class UserError : public Error {
 public:
  explicit UserError(const std::string& message) : Error(ExitCode::kUserMistake, message) {}
};

/// The network does not fit the memory of the system: a result, not a mistake.
class DoesNotFit : public Error {
 public:
  explicit DoesNotFit(const std::string& message) : Error(ExitCode::kDoesNotFit, message) {}
};

/// Our own fault: the message says what to report.
class InternalError : public Error {
 public:
  explicit InternalError(const std::string& message)
      : Error(
            ExitCode::kOurFault,
            message + " (this is a fault of Siliscope: please report the command and its input)") {}
};

/// A file or folder could not be written.
class WriteError : public Error {
 public:
  explicit WriteError(const std::string& message) : Error(ExitCode::kCannotWrite, message) {}
};

}  // namespace siliscope
