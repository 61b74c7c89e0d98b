// SPDX-License-Identifier: Apache-2.0
#include "workloads/ir/printer.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "sim/core/error.h"

namespace siliscope {
namespace {

constexpr const char* kRoles[] = {"activation", "weight", "state"};

std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (c == '\n') {
      quoted += "\\n";
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

template <typename T>
std::string List(const std::vector<T>& items) {
  std::string text = "[";
  for (std::size_t i = 0; i < items.size(); ++i) {
    text += fmt::format("{}{}", i == 0 ? "" : ", ", items[i]);
  }
  return text + "]";
}

std::string RealText(double value) {
  // A real number always has a point, an exponent or a letter, so that it reads back as one.
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".eni") == std::string::npos) text += ".0";
  return text;
}

std::string AttributeText(const Attribute& attribute) {
  if (const auto* i = std::get_if<std::int64_t>(&attribute)) return std::to_string(*i);
  if (const auto* d = std::get_if<double>(&attribute)) return RealText(*d);
  if (const auto* s = std::get_if<std::string>(&attribute)) return Quoted(*s);
  return List(std::get<std::vector<std::int64_t>>(attribute));
}

std::string Attributes(const std::map<std::string, Attribute>& attributes) {
  std::string text = "{";
  for (const auto& [key, value] : attributes) {
    text += (text.size() == 1 ? "" : ", ") + key + "=" + AttributeText(value);
  }
  return text + "}";
}

std::string Ids(const std::vector<TensorId>& ids) {
  std::string text = "(";
  for (const TensorId id : ids) {
    text += (text.size() == 1 ? "" : ", ") + (id == kNoTensor ? "-" : std::to_string(id));
  }
  return text + ")";
}

/// Reads the text form token by token.
class Parser {
 public:
  explicit Parser(const std::string& text) : text_(text) {}

  Graph Run() {
    Graph graph;
    while (Skip(), at_ < text_.size()) {
      const std::string word = Word();
      if (word == "graph") {
        graph.name = String();
      } else if (word == "tensor") {
        if (static_cast<std::size_t>(Integer()) != graph.tensors.size()) Fail("tensors in order");
        graph.AddTensor(ParseTensor());
      } else if (word == "op") {
        graph.operators.push_back(ParseOperator());
      } else if (word == "inputs" || word == "outputs") {
        for (const std::int64_t id : Integers()) {
          (word == "inputs" ? graph.inputs : graph.outputs).push_back(static_cast<TensorId>(id));
        }
      } else {
        Fail("graph, tensor, op, inputs or outputs");
      }
    }
    return graph;
  }

 private:
  [[noreturn]] void Fail(const std::string& expected) const {
    std::size_t line = 1, column = 1;
    for (std::size_t i = 0; i < std::min(at_, text_.size()); ++i) {
      ++column;
      if (text_[i] == '\n') ++line, column = 1;
    }
    throw UserError(fmt::format("graph text:{}:{}: expected {}", line, column, expected));
  }

  void Skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool Take(char c) {
    Skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void Expect(char c) {
    if (!Take(c)) Fail(std::string("'") + c + "'");
  }
  bool TakeWord(const std::string& word) {
    Skip();
    if (text_.compare(at_, word.size(), word) != 0) return false;
    at_ += word.size();
    return true;
  }
  std::string Word() {
    Skip();
    const std::size_t begin = at_;
    while (at_ < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '_')) {
      ++at_;
    }
    if (begin == at_) Fail("a word");
    return text_.substr(begin, at_ - begin);
  }
  std::string String() {
    Expect('"');
    std::string value;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
        ++at_;
        value += text_[at_] == 'n' ? '\n' : text_[at_];
      } else {
        value += text_[at_];
      }
      ++at_;
    }
    if (at_ >= text_.size()) Fail("a closing quote");
    ++at_;
    return value;
  }
  std::string NumberText() {
    Skip();
    const std::size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 ||
                                  text_[at_] == '.' || text_[at_] == '-' || text_[at_] == '+')) {
      ++at_;
    }
    return text_.substr(begin, at_ - begin);
  }
  std::int64_t Integer() {
    const std::string number = NumberText();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (error != std::errc() || end != number.data() + number.size()) Fail("a whole number");
    return value;
  }
  double Real() {
    const std::string number = NumberText();
    double value = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (error != std::errc() || end != number.data() + number.size()) Fail("a number");
    return value;
  }
  std::vector<std::int64_t> Integers() {
    std::vector<std::int64_t> values;
    Expect('[');
    while (!Take(']')) {
      values.push_back(Integer());
      Take(',');
    }
    return values;
  }
  TensorId Id() {
    if (Take('-')) return kNoTensor;
    return static_cast<TensorId>(Integer());
  }
  std::vector<TensorId> IdList() {
    std::vector<TensorId> ids;
    Expect('(');
    while (!Take(')')) {
      ids.push_back(Id());
      Take(',');
    }
    return ids;
  }
  Attribute ParseAttribute() {
    Skip();
    if (at_ < text_.size() && text_[at_] == '"') return String();
    if (at_ < text_.size() && text_[at_] == '[') return Integers();
    const std::size_t begin = at_;
    const std::string number = NumberText();
    at_ = begin;
    if (number.find_first_of(".eni") != std::string::npos) return Real();
    return Integer();
  }
  std::map<std::string, Attribute> ParseAttributes() {
    std::map<std::string, Attribute> attributes;
    Expect('{');
    while (!Take('}')) {
      const std::string key = Word();
      Expect('=');
      attributes[key] = ParseAttribute();
      Take(',');
    }
    return attributes;
  }
  Tensor ParseTensor() {
    Tensor tensor;
    tensor.name = String();
    if (!ParseDataType(Word(), &tensor.dtype)) Fail("a data type");
    const std::string role = Word();
    tensor.role = role == kRoles[1]   ? Role::kWeight
                  : role == kRoles[2] ? Role::kState
                                      : Role::kActivation;
    tensor.shape = Integers();
    if (TakeWord("values")) {
      std::vector<double> values;
      Expect('[');
      while (!Take(']')) {
        values.push_back(Real());
        Take(',');
      }
      tensor.values = std::make_shared<const std::vector<double>>(std::move(values));
    }
    return tensor;
  }
  Operator ParseOperator() {
    Operator op;
    op.kind = Word();
    op.name = String();
    op.inputs = IdList();
    if (!TakeWord("->")) Fail("->");
    op.outputs = IdList();
    op.attributes = ParseAttributes();
    while (TakeWord("then")) {
      EpilogueStep step;
      step.function = Word();
      Expect('(');
      step.operand = Id();
      Expect(')');
      step.attributes = ParseAttributes();
      step.source_node = String();
      op.epilogue.push_back(std::move(step));
    }
    if (TakeWord("from")) {
      Expect('[');
      while (!Take(']')) {
        op.source_nodes.push_back(String());
        Take(',');
      }
    }
    return op;
  }

  const std::string& text_;
  std::size_t at_ = 0;
};

}  // namespace

std::string PrintGraph(const Graph& graph) {
  std::string text = "graph " + Quoted(graph.name) + "\n";
  for (std::size_t i = 0; i < graph.tensors.size(); ++i) {
    const Tensor& t = graph.tensors[i];
    text += fmt::format("tensor {} {} {} {} {}", i, Quoted(t.name), DataTypeName(t.dtype),
                        kRoles[static_cast<int>(t.role)], List(t.shape));
    if (t.values != nullptr) text += " values " + List(*t.values);
    text += "\n";
  }
  for (const Operator& op : graph.operators) {
    text += "op " + op.kind + " " + Quoted(op.name) + " " + Ids(op.inputs) + " -> " +
            Ids(op.outputs) + " " + Attributes(op.attributes);
    for (const EpilogueStep& step : op.epilogue) {
      text += " then " + step.function + Ids({step.operand}) + " " + Attributes(step.attributes) +
              " " + Quoted(step.source_node);
    }
    text += " from [";
    for (std::size_t i = 0; i < op.source_nodes.size(); ++i) {
      text += (i == 0 ? "" : ", ") + Quoted(op.source_nodes[i]);
    }
    text += "]\n";
  }
  return text + "inputs " + List(graph.inputs) + "\noutputs " + List(graph.outputs) + "\n";
}

Graph ParseGraph(const std::string& text) { return Parser(text).Run(); }

}  // namespace siliscope
