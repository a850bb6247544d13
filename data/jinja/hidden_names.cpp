#include "data/jinja/hidden_names.h"

#include <algorithm>
#include <array>
#include <set>

namespace dualpath::data::jinja {
namespace {

/// The names of one body, followed in their order as by Jinja's idtracking.
struct Symbols {
  Runtime& runtime;
  const Symbols* around = nullptr;         ///< the body around
  const Symbols* before = nullptr;         ///< in a branch of an if: the body before it
  std::map<std::string, bool> hides = {};  ///< every name that was met
  std::set<std::string> stored = {};

  bool has_met(const std::string& name) const {
    runtime.step();
    return hides.contains(name) || (before && before->has_met(name));
  }
  bool has_stored(const std::string& name) const {
    return stored.contains(name) || (before && before->has_stored(name));
  }
  bool is_known_around(const std::string& name) const {
    return around && (around->has_met(name) || around->is_known_around(name));
  }

  void load(const std::string& name) {
    if (!has_met(name) && !is_known_around(name)) hides[name] = false;
  }
  void store(const std::string& name) {
    stored.insert(name);
    if (!has_met(name)) hides[name] = !is_known_around(name);
  }
  void declare(const std::string& name) {
    stored.insert(name);
    hides[name] = false;
  }

  /// Joins the branches of an if. A name that only some branches set keeps its state.
  void join(const std::array<Symbols, 3>& branches) {
    std::map<std::string, std::size_t> counts;
    for (const Symbols& branch : branches) {
      for (const std::string& name : branch.stored)
        if (!has_stored(name)) ++counts[name];
      for (const auto& [name, hidden] : branch.hides) hides[name] = hidden;
    }
    for (const auto& [name, count] : counts) {
      stored.insert(name);
      if (count < branches.size()) hides[name] = false;
    }
  }
};

void load(Symbols& symbols, const ExpressionPtr& expression);

void load(Symbols& symbols, const Arguments& arguments) {
  for (const ExpressionPtr& value : arguments.positional) load(symbols, value);
  for (const auto& argument : arguments.named) load(symbols, argument.second);
}

/// Every name that an expression reads.
struct Loading {
  Symbols& symbols;

  template <class... Parts>
  void all(const Parts&... parts) const {
    (load(symbols, parts), ...);
  }
  void operator()(const Literal&) const {}
  void operator()(const Name& form) const { symbols.load(form.name); }
  void operator()(const SequenceDisplay& form) const {
    for (const ExpressionPtr& item : form.items) all(item);
  }
  void operator()(const DictDisplay& form) const {
    for (const auto& [key, value] : form.items) all(key, value);
  }
  void operator()(const Attribute& form) const { all(form.object); }
  void operator()(const Subscript& form) const { all(form.object, form.index); }
  void operator()(const Slice& form) const { all(form.object, form.start, form.stop, form.step); }
  void operator()(const Call& form) const { all(form.callee, form.arguments); }
  void operator()(const Filter& form) const { all(form.value, form.arguments); }
  void operator()(const Test& form) const { all(form.value, form.arguments); }
  void operator()(const Unary& form) const { all(form.operand); }
  void operator()(const Binary& form) const { all(form.left, form.right); }
  void operator()(const Comparison& form) const {
    all(form.first);
    for (const auto& part : form.rest) all(part.second);
  }
  void operator()(const Conditional& form) const { all(form.then, form.test, form.otherwise); }
};

void load(Symbols& symbols, const ExpressionPtr& expression) {
  if (expression) std::visit(Loading{symbols}, expression->form);
}

void store(Symbols& symbols, const Target& target) {
  for (const Target& part : target.parts) store(symbols, part);
  if (!target.parts.empty()) return;
  if (target.attribute.empty())
    symbols.store(target.name);
  else
    symbols.load(target.name);
}

void declare(Symbols& symbols, const Target& target) {
  for (const Target& part : target.parts) declare(symbols, part);
  if (target.parts.empty()) symbols.declare(target.name);
}

void follow(Symbols& symbols, const Body& body);

/// Follows the first test and body, the elifs one after the other, and the else.
void follow(Symbols& symbols, const If& choice, std::size_t first = 0) {
  load(symbols, choice.branches[first].first);
  const Symbols branch{symbols.runtime, symbols.around, &symbols};
  std::array<Symbols, 3> branches{branch, branch, branch};
  follow(branches[0], choice.branches[first].second);
  if (first == 0) {
    for (std::size_t i = 1; i < choice.branches.size(); ++i) follow(branches[1], choice, i);
    follow(branches[2], choice.otherwise);
  }
  symbols.join(branches);
}

/// Follows a statement's effect on the names of its body.
void follow(Symbols& symbols, const Statement& statement) {
  const auto& form = statement.form;
  if (const auto* output = std::get_if<Output>(&form)) {
    load(symbols, output->value);
  } else if (const auto* set = std::get_if<Assign>(&form)) {
    load(symbols, set->value);
    store(symbols, set->target);
  } else if (const auto* block = std::get_if<AssignBlock>(&form)) {
    store(symbols, block->target);
  } else if (const auto* filter = std::get_if<FilterBlock>(&form)) {
    load(symbols, filter->filtered);
  } else if (const auto* loop = std::get_if<For>(&form)) {
    load(symbols, loop->items);
  } else if (const auto* choice = std::get_if<If>(&form)) {
    follow(symbols, *choice);
  } else if (const auto* macro = std::get_if<MacroDefinition>(&form)) {
    symbols.store(macro->name);
  } else if (const auto* scoped = std::get_if<Scoped>(&form)) {
    for (const auto& name : scoped->names) load(symbols, name.second);
  }
}

void follow(Symbols& symbols, const Body& body) {
  for (const Statement& statement : body) follow(symbols, statement);
}

class Finder {
 public:
  HiddenNames found;

  void add(const Body& body, Symbols symbols) {
    follow(symbols, body);
    for (const auto& [name, hidden] : symbols.hides)
      if (hidden) found[&body].push_back(name);
    add_inner(body, symbols);
  }

 private:
  void add_inner(const Body& body, const Symbols& symbols) {
    for (const Statement& statement : body) {
      const auto& form = statement.form;
      Symbols inner{symbols.runtime, &symbols};
      if (const auto* block = std::get_if<AssignBlock>(&form)) {
        add(block->body, inner);
      } else if (const auto* filter = std::get_if<FilterBlock>(&form)) {
        add(filter->body, inner);
      } else if (const auto* loop = std::get_if<For>(&form)) {
        add(loop->otherwise, inner);
        declare(inner, loop->target);
        inner.declare("loop");
        add(loop->body, inner);
      } else if (const auto* choice = std::get_if<If>(&form)) {
        for (const auto& branch : choice->branches) add_inner(branch.second, symbols);
        add_inner(choice->otherwise, symbols);
      } else if (const auto* macro = std::get_if<MacroDefinition>(&form)) {
        for (const auto& parameter : macro->parameters) inner.declare(parameter.first);
        for (const auto& parameter : macro->parameters) load(inner, parameter.second);
        add(macro->body, inner);
      } else if (const auto* scoped = std::get_if<Scoped>(&form)) {
        for (const auto& name : scoped->names) declare(inner, name.first);
        add(scoped->body, inner);
      } else if (const auto* generation = std::get_if<Generation>(&form)) {
        add(generation->body, inner);
      }
    }
  }
};

}  // namespace

HiddenNames hidden_names(Runtime& runtime, const Body& whole) {
  Finder finder;
  finder.add(whole, {runtime});
  return std::move(finder.found);
}

}  // namespace dualpath::data::jinja
