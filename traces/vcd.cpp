// SPDX-License-Identifier: Apache-2.0
// Value change dump (IEEE 1364-2005, section 18): signals in nested scopes, and their changes.
#include <fmt/format.h>

#include <optional>
#include <vector>

#include "sim/contract/waveform.h"

namespace siliscope {
namespace {

/// A signal's short name: printable characters, as the format wants.
std::string Identifier(std::size_t index) {
  std::string id;
  do {
    id += static_cast<char>('!' + index % 94);
    index /= 94;
  } while (index > 0);
  return id;
}

std::vector<std::string> Parts(const std::string& name) {
  std::vector<std::string> parts(1);
  for (const char c : name) {
    if (c == '.') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

class VcdWriter : public Waveform {
 public:
  explicit VcdWriter(std::ostream& out) : out_(out) { out_ << "$timescale 1 ps $end\n"; }
  ~VcdWriter() override { out_.flush(); }

  std::uint32_t AddSignal(const std::string& name, int bits) override {
    return Declare(name, fmt::format("wire {}", bits), bits);
  }
  std::uint32_t AddReal(const std::string& name) override { return Declare(name, "real 64", 0); }

  void Set(Tick when, std::uint32_t signal, std::uint64_t value) override {
    Signal& s = signals_[signal];
    if (s.value == value) return;
    s.value = value;
    AdvanceTo(when);
    if (s.bits == 1) {
      out_ << fmt::format("{}{}\n", value, s.id);
    } else {
      out_ << fmt::format("b{:b} {}\n", value, s.id);
    }
  }

  void SetReal(Tick when, std::uint32_t signal, double value) override {
    Signal& s = signals_[signal];
    if (s.real == value) return;
    s.real = value;
    AdvanceTo(when);
    out_ << fmt::format("r{:.9g} {}\n", value, s.id);
  }

 private:
  struct Signal {
    std::string id;
    int bits = 1;
    std::optional<std::uint64_t> value;
    std::optional<double> real;
  };

  std::uint32_t Declare(const std::string& name, const std::string& type, int bits) {
    std::vector<std::string> parts = Parts(name);
    const std::string leaf = parts.back();
    parts.pop_back();
    EnterScope(parts);
    signals_.push_back({Identifier(signals_.size()), bits, {}, {}});
    out_ << fmt::format("$var {} {} {} $end\n", type, signals_.back().id, leaf);
    return static_cast<std::uint32_t>(signals_.size() - 1);
  }

  void EnterScope(const std::vector<std::string>& scope) {
    std::size_t same = 0;
    while (same < scope_.size() && same < scope.size() && scope_[same] == scope[same]) ++same;
    for (std::size_t i = same; i < scope_.size(); ++i) out_ << "$upscope $end\n";
    for (std::size_t i = same; i < scope.size(); ++i) {
      out_ << fmt::format("$scope module {} $end\n", scope[i]);
    }
    scope_ = scope;
  }

  void AdvanceTo(Tick when) {
    if (!started_) {
      EnterScope({});
      out_ << "$enddefinitions $end\n";
    }
    if (!started_ || when != now_) out_ << '#' << when << '\n';
    started_ = true;
    now_ = when;
  }

  std::ostream& out_;
  std::vector<Signal> signals_;
  std::vector<std::string> scope_;
  bool started_ = false;
  Tick now_ = 0;
};

const bool kRegistered =
    WaveformRegistry::Instance().Add("vcd", [](std::ostream& out) -> std::unique_ptr<Waveform> {
      return std::make_unique<VcdWriter>(out);
    });

}  // namespace
}  // namespace siliscope
