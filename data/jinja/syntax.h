#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "data/jinja/values/value.h"

namespace dualpath::data::jinja {

/// A template as a tree. A null pointer stands for a part that was left out.

struct Expression;
using ExpressionPtr = std::unique_ptr<const Expression>;

struct Arguments {
  std::vector<ExpressionPtr> positional;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
};

struct Literal {
  Value value;
};
struct Name {
  std::string name;
};
struct SequenceDisplay {
  std::vector<ExpressionPtr> items;
  bool is_tuple;
};
struct DictDisplay {
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> items;
};
struct Attribute {
  ExpressionPtr object;
  std::string name;
};
struct Subscript {
  ExpressionPtr object, index;
};
struct Slice {
  ExpressionPtr object, start, stop, step;
};
struct Call {
  ExpressionPtr callee;
  Arguments arguments;
};
struct Filter {
  ExpressionPtr value;
  std::string name;
  Arguments arguments;
};
struct Test {
  ExpressionPtr value;
  std::string name;
  Arguments arguments;
};
/// "-", "+", "not".
struct Unary {
  std::string op;
  ExpressionPtr operand;
};
/// "+", "-", "*", "/", "//", "%", "**", "~", "and", "or".
struct Binary {
  std::string op;
  ExpressionPtr left, right;
};
/// a < b <= c; the operators "==", "!=", "<", "<=", ">", ">=", "in", "not in".
struct Comparison {
  ExpressionPtr first;
  std::vector<std::pair<std::string, ExpressionPtr>> rest;
};
struct Conditional {
  ExpressionPtr then, test, otherwise;
};

struct Expression {
  std::variant<Literal, Name, SequenceDisplay, DictDisplay, Attribute, Subscript, Slice, Call,
               Filter, Test, Unary, Binary, Comparison, Conditional>
      form;
  int line = 1;
};

struct Statement;
using Body = std::vector<Statement>;

/// Target of a value: a name, a namespace's attribute, or several of them.
struct Target {
  std::string name, attribute = {};  // attribute: empty for a plain name
  std::vector<Target> parts = {};    // the targets of unpacking; then there is no name
};

struct Text {
  std::string text;
};
struct Output {
  ExpressionPtr value;
};
struct Assign {
  Target target;
  ExpressionPtr value;
};
/// {% set x %} … {% endset %}; `filtered`: the text, as the name kBlockText, under its filters.
struct AssignBlock {
  Target target;
  ExpressionPtr filtered;
  Body body;
};
struct FilterBlock {
  ExpressionPtr filtered;
  Body body;
};
inline constexpr const char* kBlockText = " text of the block";  // no template has such a name

struct For {
  Target target;
  ExpressionPtr items, condition;
  Body body, otherwise;
};
struct If {
  std::vector<std::pair<ExpressionPtr, Body>> branches;
  Body otherwise;
};
struct MacroDefinition {
  std::string name;
  std::vector<std::pair<std::string, ExpressionPtr>> parameters;
  Body body;
};
/// {% with %}: a body with names of its own.
struct Scoped {
  std::vector<std::pair<Target, ExpressionPtr>> names;
  Body body;
};
/// {% generation %}: an assistant's text. Names set inside are its own.
struct Generation {
  Body body;
};
struct Break {};
struct Continue {};

struct Statement {
  std::variant<Text, Output, Assign, AssignBlock, FilterBlock, For, If, MacroDefinition, Scoped,
               Generation, Break, Continue>
      form;
  int line = 1;
};

}  // namespace dualpath::data::jinja
