#include "data/jinja/interpreter.h"

#include <algorithm>
#include <array>

#include "data/jinja/filters.h"
#include "data/jinja/functions.h"
#include "data/jinja/tests.h"
#include "data/jinja/values/operators.h"
#include "data/jinja/values/parameters.h"

namespace dualpath::data::jinja {
namespace {

/// A macro. It lives no longer than the scope of its definition, since neither data nor a namespace
/// may hold it.
struct Macro : Object {
  Macro(Interpreter& by, const MacroDefinition& what, Scope& where)
      : interpreter(by), definition(what), scope(where) {}
  std::string_view type() const override { return "macro"; }
  bool is_callable() const override { return true; }
  Value attribute(Runtime& runtime, const std::string& name) override {
    constexpr std::array<std::string_view, 5> kOtherNames{"arguments", "caller", "catch_kwargs",
                                                          "catch_varargs", "explicit_caller"};
    if (std::ranges::find(kOtherNames, name) != kOtherNames.end())
      runtime.fail("the attribute '{}' of a macro is not supported", name);
    return name == "name" ? Value(definition.name) : Value::undefined(name);
  }
  Value call(Runtime&, const CallArguments& arguments) const override {
    return interpreter.call(definition, scope, arguments);
  }

  Interpreter& interpreter;
  const MacroDefinition& definition;
  Scope& scope;
};

/// loop.cycle(a, b, …): its arguments by turns.
struct Cycle : Object {
  explicit Cycle(std::size_t at) : index(at) {}
  std::string_view type() const override { return "function"; }
  bool is_callable() const override { return true; }
  Value call(Runtime& runtime, const CallArguments& arguments) const override {
    if (arguments.positional.empty() || !arguments.named.empty())
      runtime.fail("loop.cycle: expected items without names");
    return arguments.positional[index % arguments.positional.size()];
  }

  std::size_t index;
};

/// A running for loop. Items are let through one by one, when the loop or `loop.last` asks for
/// them, since the values that the loop's `if` reads may change in between.
struct Loop : Object {
  using Condition = std::function<bool(const Value&)>;

  Loop(std::vector<Value> over, Condition lets) : source(std::move(over)), lets_through(lets) {}
  std::string_view type() const override { return "loop"; }
  Value attribute(Runtime& runtime, const std::string& name) override;

  /// Whether there is an item at this place.
  bool reaches(std::size_t place);
  std::size_t length() { return reaches(source.size()), passed.size(); }

  std::vector<Value> source, passed;
  Condition lets_through;
  std::size_t taken = 0, index = 0;
};

bool Loop::reaches(std::size_t place) {
  while (passed.size() <= place && taken < source.size()) {
    const Value& item = source[taken++];
    if (lets_through(item)) passed.push_back(item);
  }
  return passed.size() > place;
}

Value Loop::attribute(Runtime& runtime, const std::string& name) {
  const auto number = [](std::size_t value) { return Value(static_cast<std::int64_t>(value)); };
  if (name == "index") return number(index + 1);
  if (name == "index0") return number(index);
  if (name == "revindex") return number(length() - index);
  if (name == "revindex0") return number(length() - index - 1);
  if (name == "first") return Value(index == 0);
  if (name == "last") return Value(!reaches(index + 1));
  if (name == "length") return number(length());
  if (name == "depth") return number(1);
  if (name == "depth0") return number(0);
  if (name == "previtem") return index == 0 ? Value::undefined(name) : passed[index - 1];
  if (name == "nextitem") return reaches(index + 1) ? passed[index + 1] : Value::undefined(name);
  if (name == "cycle") return Value(std::shared_ptr<Object>(std::make_shared<Cycle>(index)));
  if (name == "changed") runtime.fail("loop.changed is not supported");
  return Value::undefined(name);
}

}  // namespace

const Value* Scope::find(const std::string& name) const {
  for (const Scope* scope = this; scope; scope = scope->around) {
    const auto found = scope->names.find(name);
    if (found != scope->names.end()) return &found->second;
  }
  return nullptr;
}

std::string Interpreter::render(const Body& body, const Dict& variables) {
  Scope given, own{&given};
  for (const auto& [name, value] : variables.items()) given.names[name] = value;
  hidden_ = hidden_names(runtime_, body);
  run_inside(body, own);
  return std::move(output_);
}

Interpreter::End Interpreter::run_inside(const Body& body, Scope& own) {
  if (const auto hidden = hidden_.find(&body); hidden != hidden_.end())
    for (const std::string& name : hidden->second)
      own.names.try_emplace(name, Value::undefined(name));
  return run(body, own);
}

void Interpreter::print(std::string_view text) {
  runtime_.spend(text.size());
  output_ += text;
}

Interpreter::End Interpreter::run(const Body& body, Scope& scope) {
  const Runtime::Level level(runtime_);
  for (const Statement& statement : body) {
    runtime_.at(statement.line);
    runtime_.step();
    if (const End end = run(statement, scope); end != End::kWhole) return end;
  }
  return End::kWhole;
}

Interpreter::End Interpreter::run(const Statement& statement, Scope& scope) {
  const auto& form = statement.form;
  if (const auto* text = std::get_if<Text>(&form))
    print(text->text);
  else if (const auto* output = std::get_if<Output>(&form))
    print(text_of(runtime_, evaluate(*output->value, scope)));
  else if (const auto* set = std::get_if<Assign>(&form))
    assign(set->target, evaluate(*set->value, scope), scope);
  else if (const auto* block = std::get_if<AssignBlock>(&form))
    return run_captured(block->body, *block->filtered, scope,
                        [&](const Value& value) { assign(block->target, value, scope); });
  else if (const auto* filter = std::get_if<FilterBlock>(&form))
    return run_captured(filter->body, *filter->filtered, scope,
                        [&](const Value& value) { print(text_of(runtime_, value)); });
  else if (const auto* macro = std::get_if<MacroDefinition>(&form))
    run_macro_definition(*macro, scope);
  else if (const auto* loop = std::get_if<For>(&form))
    return run_loop(*loop, scope);
  else if (const auto* choice = std::get_if<If>(&form))
    return run_if(*choice, scope);
  else if (const auto* scoped = std::get_if<Scoped>(&form))
    return run_scoped(*scoped, scope);
  else if (const auto* generation = std::get_if<Generation>(&form))
    return run_generation(*generation, scope);
  else
    return std::holds_alternative<Break>(form) ? End::kBreak : End::kContinue;
  return End::kWhole;
}

void Interpreter::run_macro_definition(const MacroDefinition& macro, Scope& scope) {
  scope.names[macro.name] =
      Value(std::shared_ptr<Object>(std::make_shared<Macro>(*this, macro, scope)));
}

Interpreter::End Interpreter::run_loop(const For& loop, Scope& scope) {
  const auto lets_through = [&](const Value& item) {
    if (!loop.condition) return true;
    Scope inner{&scope};
    assign(loop.target, item, inner);
    return is_true(evaluate(*loop.condition, inner));
  };
  bool has_whole = false;  // Jinja's else runs if no round came to its end
  const auto state =
      std::make_shared<Loop>(items_of(runtime_, evaluate(*loop.items, scope)), lets_through);
  for (; state->reaches(state->index); ++state->index) {
    runtime_.step();
    Scope inner{&scope};
    inner.names["loop"] = Value(std::shared_ptr<Object>(state));
    assign(loop.target, state->passed[state->index], inner);
    const End end = run_inside(loop.body, inner);
    if (end == End::kBreak) break;
    has_whole = has_whole || end == End::kWhole;
  }
  if (has_whole) return End::kWhole;
  Scope inner{&scope};
  return run_inside(loop.otherwise, inner);
}

Interpreter::End Interpreter::run_if(const If& choice, Scope& scope) {
  for (const auto& [test, body] : choice.branches)
    if (is_true(evaluate(*test, scope))) return run(body, scope);
  return run(choice.otherwise, scope);
}

Interpreter::End Interpreter::run_scoped(const Scoped& scoped, Scope& scope) {
  Scope inner{&scope};
  for (const auto& [name, value] : scoped.names) assign(name, evaluate(*value, scope), inner);
  return run_inside(scoped.body, inner);
}

Interpreter::End Interpreter::run_generation(const Generation& generation, Scope& scope) {
  const std::size_t begin = output_.size();
  Scope inner{&scope};
  const End end = run_inside(generation.body, inner);
  if (output_.size() > begin) generated_.push_back({begin, output_.size()});
  return end;
}

Interpreter::Printed Interpreter::print_aside(const Body& body, Scope& scope) {
  std::string around = std::exchange(output_, "");
  const std::size_t generated = generated_.size();
  const End end = run_inside(body, scope);
  generated_.resize(generated);
  return {end, std::exchange(output_, std::move(around))};
}

Interpreter::End Interpreter::run_captured(const Body& body, const Expression& filtered,
                                           Scope& scope,
                                           const std::function<void(const Value&)>& use) {
  Scope inner{&scope};
  Printed printed = print_aside(body, inner);
  if (printed.end != End::kWhole) return printed.end;
  inner.names[kBlockText] = Value(std::move(printed.text));
  use(evaluate(filtered, inner));
  return End::kWhole;
}

void Interpreter::assign(const Target& target, const Value& value, Scope& scope) {
  if (!target.parts.empty()) return unpack(target.parts, value, scope);
  if (target.attribute.empty()) {
    scope.names[target.name] = value;
    return;
  }
  const Value* holder = scope.find(target.name);
  if (!holder || !holder->object())
    runtime_.fail("'{}' is no namespace: cannot set its '{}'", target.name, target.attribute);
  holder->object()->set_attribute(runtime_, target.attribute, value);
}

void Interpreter::unpack(const std::vector<Target>& parts, const Value& value, Scope& scope) {
  const std::vector<Value> items = items_of(runtime_, value);
  if (items.size() != parts.size())
    runtime_.fail("{} names for {} values", parts.size(), items.size());
  for (std::size_t i = 0; i < items.size(); ++i) assign(parts[i], items[i], scope);
}

Value Interpreter::call(const MacroDefinition& macro, Scope& scope,
                        const CallArguments& arguments) {
  const Runtime::Level level(runtime_);
  const auto& parameters = macro.parameters;
  Scope inner{&scope};
  if (arguments.positional.size() > parameters.size())
    runtime_.fail("the macro {} takes {} arguments, got {}", macro.name, parameters.size(),
                  arguments.positional.size());
  for (std::size_t i = 0; i < arguments.positional.size(); ++i)
    inner.names[parameters[i].first] = arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    if (std::ranges::find(parameters, name, [](const auto& p) { return p.first; }) ==
        parameters.end())
      runtime_.fail("the macro {} has no argument '{}'", macro.name, name);
    if (!inner.names.try_emplace(name, value).second)
      runtime_.fail("the macro {} got '{}' twice", macro.name, name);
  }
  for (const auto& [name, fallback] : parameters) {
    if (inner.names.contains(name)) continue;
    inner.names[name] = fallback ? evaluate(*fallback, inner) : Value::undefined(name);
  }
  return Value(print_aside(macro.body, inner).text);
}

Value Interpreter::evaluate(const Expression& expression, Scope& scope) {
  const Runtime::Level level(runtime_);
  runtime_.at(expression.line);
  runtime_.step();
  return std::visit([&](const auto& form) { return evaluate(form, scope); }, expression.form);
}

Value Interpreter::evaluate(const Literal& literal, Scope&) { return literal.value; }

Value Interpreter::evaluate(const Name& name, Scope& scope) {
  if (const Value* value = scope.find(name.name)) return *value;
  return function_named(runtime_, name.name).value_or(Value::undefined(name.name));
}

Value Interpreter::evaluate(const SequenceDisplay& display, Scope& scope) {
  std::vector<Value> items;
  for (const ExpressionPtr& item : display.items) items.push_back(evaluate(*item, scope));
  return Value::sequence(runtime_, std::move(items),
                         display.is_tuple ? SequenceKind::kTuple : SequenceKind::kList);
}

Value Interpreter::evaluate(const DictDisplay& display, Scope& scope) {
  Dict dict;
  for (const auto& [key, value] : display.items) {
    const Value name = evaluate(*key, scope);
    if (!name.text()) runtime_.fail("a dict's key: expected a str, got {}", type_name(name));
    dict.set(runtime_, *name.text(), evaluate(*value, scope));
  }
  return Value(std::move(dict));
}

Value Interpreter::evaluate(const Attribute& attribute, Scope& scope) {
  return attribute_of(runtime_, evaluate(*attribute.object, scope), attribute.name);
}

Value Interpreter::evaluate(const Subscript& subscript, Scope& scope) {
  const Value object = evaluate(*subscript.object, scope);
  return item_of(runtime_, object, evaluate(*subscript.index, scope));
}

Value Interpreter::evaluate(const Slice& slice, Scope& scope) {
  const Value object = evaluate(*slice.object, scope);
  const auto part = [&](const ExpressionPtr& expression) {
    return expression ? evaluate(*expression, scope) : Value();
  };
  const Value start = part(slice.start), stop = part(slice.stop), step = part(slice.step);
  return slice_of(runtime_, object, &start, &stop, &step);
}

Value Interpreter::evaluate(const Call& call, Scope& scope) {
  const Value callee = evaluate(*call.callee, scope);
  const CallArguments arguments = evaluate(call.arguments, scope);
  if (const Undefined* undefined = callee.undefined())
    runtime_.fail("'{}' is undefined, or not supported", printable(*undefined->name));
  if (!callee.object()) runtime_.fail("a {} is not callable", type_name(callee));
  return callee.object()->call(runtime_, arguments);
}

Value Interpreter::evaluate(const Filter& filter, Scope& scope) {
  const Value value = evaluate(*filter.value, scope);
  return filtered(runtime_, filter.name, value, evaluate(filter.arguments, scope));
}

Value Interpreter::evaluate(const Test& test, Scope& scope) {
  const Value value = evaluate(*test.value, scope);
  return Value(passes(runtime_, test.name, value, evaluate(test.arguments, scope)));
}

Value Interpreter::evaluate(const Unary& unary, Scope& scope) {
  const Value value = evaluate(*unary.operand, scope);
  if (unary.op == "not") return Value(!is_true(value));
  if (unary.op == "-") return negated(runtime_, value);
  return value.real() ? value : calculated(runtime_, "+", Value(std::int64_t{0}), value);
}

Value Interpreter::evaluate(const Binary& binary, Scope& scope) {
  Value left = evaluate(*binary.left, scope);
  if (binary.op == "and") return is_true(left) ? evaluate(*binary.right, scope) : left;
  if (binary.op == "or") return is_true(left) ? left : evaluate(*binary.right, scope);
  const Value right = evaluate(*binary.right, scope);
  if (binary.op != "~") return calculated(runtime_, binary.op, left, right);
  return Value(text_of(runtime_, left) + text_of(runtime_, right));
}

Value Interpreter::evaluate(const Comparison& comparison, Scope& scope) {
  Value left = evaluate(*comparison.first, scope);
  for (const auto& [op, expression] : comparison.rest) {
    Value right = evaluate(*expression, scope);
    if (!compared(runtime_, op, left, right)) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Value Interpreter::evaluate(const Conditional& conditional, Scope& scope) {
  if (is_true(evaluate(*conditional.test, scope))) return evaluate(*conditional.then, scope);
  if (conditional.otherwise) return evaluate(*conditional.otherwise, scope);
  return Value::undefined("the value of an if without else");
}

CallArguments Interpreter::evaluate(const Arguments& arguments, Scope& scope) {
  CallArguments result;
  for (const ExpressionPtr& value : arguments.positional)
    result.positional.push_back(evaluate(*value, scope));
  for (const auto& [name, value] : arguments.named)
    result.named.emplace_back(name, evaluate(*value, scope));
  return result;
}

}  // namespace dualpath::data::jinja
