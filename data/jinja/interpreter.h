#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "data/base/byte_range.h"
#include "data/jinja/hidden_names.h"
#include "data/jinja/syntax.h"

namespace dualpath::data::jinja {

/// The names of a template, a loop or a macro's call, and the scope around it.
struct Scope {
  Scope* around = nullptr;
  std::map<std::string, Value, std::less<>> names = {};

  const Value* find(const std::string& name) const;
};

/// Runs a template, once only.
class Interpreter {
 public:
  explicit Interpreter(Runtime& runtime) : runtime_(runtime) {}

  /// Renders the template. variables: all that it can read.
  std::string render(const Body& body, const Dict& variables);
  /// The places of {% generation %}'s text in the rendered text, in order. Text that a macro or a
  /// block made is placed later, or nowhere, and not counted.
  const std::vector<ByteRange>& generated() const { return generated_; }

  /// Calls a macro and returns its text. scope: the scope of its definition.
  Value call(const MacroDefinition& macro, Scope& scope, const CallArguments& arguments);

 private:
  /// The way a body was left.
  enum class End { kWhole, kBreak, kContinue };

  /// Runs a body with names of its own.
  End run_inside(const Body& body, Scope& own);
  End run(const Body& body, Scope& scope);
  End run(const Statement& statement, Scope& scope);
  void run_macro_definition(const MacroDefinition& macro, Scope& scope);
  End run_loop(const For& loop, Scope& scope);
  End run_if(const If& choice, Scope& scope);
  End run_scoped(const Scoped& scoped, Scope& scope);
  End run_generation(const Generation& generation, Scope& scope);
  /// The text of a body, and how it ended. {% generation %} in it gives no places, since the text
  /// is not yet in its place.
  struct Printed {
    End end;
    std::string text;
  };
  Printed print_aside(const Body& body, Scope& scope);
  /// Hands on the body's text, under its filters; drops it when a loop around is left.
  End run_captured(const Body& body, const Expression& filtered, Scope& scope,
                   const std::function<void(const Value&)>& use);
  void assign(const Target& target, const Value& value, Scope& scope);
  void unpack(const std::vector<Target>& parts, const Value& value, Scope& scope);
  void print(std::string_view text);

  Value evaluate(const Expression& expression, Scope& scope);
  Value evaluate(const Literal& literal, Scope& scope);
  Value evaluate(const Name& name, Scope& scope);
  Value evaluate(const SequenceDisplay& display, Scope& scope);
  Value evaluate(const DictDisplay& display, Scope& scope);
  Value evaluate(const Attribute& attribute, Scope& scope);
  Value evaluate(const Subscript& subscript, Scope& scope);
  Value evaluate(const Slice& slice, Scope& scope);
  Value evaluate(const Call& call, Scope& scope);
  Value evaluate(const Filter& filter, Scope& scope);
  Value evaluate(const Test& test, Scope& scope);
  Value evaluate(const Unary& unary, Scope& scope);
  Value evaluate(const Binary& binary, Scope& scope);
  Value evaluate(const Comparison& comparison, Scope& scope);
  Value evaluate(const Conditional& conditional, Scope& scope);
  CallArguments evaluate(const Arguments& arguments, Scope& scope);

  Runtime& runtime_;
  HiddenNames hidden_;
  std::string output_;
  std::vector<ByteRange> generated_;
};

}  // namespace dualpath::data::jinja
