#include "data/jinja/values/value.h"

#include <algorithm>
#include <array>

#include "data/jinja/values/python_number.h"
#include "data/jinja/values/python_text.h"

namespace dualpath::data::jinja {
namespace {

constexpr int kMostNesting = 64;
/// The names of each SequenceKind, in its order.
constexpr std::array<std::string_view, 6> kKindNames{"list",      "tuple",       "range",
                                                     "dict_keys", "dict_values", "dict_items"};

/// The depth of a container that holds `value`.
int depth_around(Runtime& runtime, const Value& value) {
  if (value.object()) runtime.fail("a {} inside a list or dict is not supported", type_name(value));
  if (value.depth() >= kMostNesting) runtime.fail("lists and dicts are nested too deeply");
  return value.depth() + 1;
}

bool is_set(const Sequence& sequence) {
  return sequence.kind == SequenceKind::kKeys || sequence.kind == SequenceKind::kItems;
}

bool holds(Runtime& runtime, const Sequence& sequence, const Value& wanted) {
  return std::ranges::any_of(
      sequence.items, [&](const Value& item) { return jinja::equal(runtime, item, wanted); });
}

bool equal(Runtime& runtime, const Sequence& a, const Sequence& b) {
  if (is_set(a) && is_set(b)) {
    return a.items.size() == b.items.size() &&
           std::ranges::all_of(a.items, [&](const Value& x) { return holds(runtime, b, x); });
  }
  if (a.kind != b.kind || a.kind == SequenceKind::kValues) return &a == &b;
  return std::ranges::equal(a.items, b.items, [&](const Value& x, const Value& y) {
    return jinja::equal(runtime, x, y);
  });
}

bool equal(Runtime& runtime, const Dict& a, const Dict& b) {
  return a.items().size() == b.items().size() &&
         std::ranges::all_of(a.items(), [&](const auto& item) {
           const Value* other = b.find(item.first);
           return other && jinja::equal(runtime, item.second, *other);
         });
}

/// An int or a bool.
std::int64_t whole_of(const Value& value) {
  return value.boolean() ? (*value.boolean() ? 1 : 0) : *value.integer();
}

std::string text_of(const Range& range) {
  return range.step == 1 ? fmt::format("range({}, {})", range.start, range.stop)
                         : fmt::format("range({}, {}, {})", range.start, range.stop, range.step);
}

std::string joined(Runtime& runtime, const std::vector<Value>& items) {
  std::string text;
  for (const Value& item : items) {
    if (&item != &items.front()) text += ", ";
    text += repr_of(runtime, item);
  }
  return text;
}

std::string written(Runtime& runtime, const Value& value) {
  const Sequence& sequence = *value.sequence();
  if (sequence.kind == SequenceKind::kRange) return text_of(sequence.range);
  const std::string text = joined(runtime, sequence.items);
  if (sequence.is_tuple()) return "(" + text + (sequence.items.size() == 1 ? ",)" : ")");
  if (sequence.kind == SequenceKind::kList) return "[" + text + "]";
  return fmt::format("{}([{}])", type_name(value), text);
}

std::string written(Runtime& runtime, const Dict& dict) {
  std::string text = "{";
  for (const auto& [key, value] : dict.items()) {
    if (text.size() > 1) text += ", ";
    text += quoted(key) + ": " + repr_of(runtime, value);
  }
  return text + "}";
}

}  // namespace

Value Object::attribute(Runtime&, const std::string& name) { return Value::undefined(name); }

void Object::set_attribute(Runtime& runtime, const std::string& name, Value) {
  runtime.fail("cannot set '{}' of a {}", printable(name), type());
}

Value Object::call(Runtime& runtime, const CallArguments&) const {
  runtime.fail("a {} is not callable", type());
}

std::vector<Value> Object::items(Runtime& runtime) {
  runtime.fail("cannot loop over a value of kind {}", type());
}

Value::Value(Dict dict) : data_(std::make_shared<const Dict>(std::move(dict))) {}

Value Value::sequence(Runtime& runtime, std::vector<Value> items, SequenceKind kind) {
  runtime.spend(kItemUnits * (1 + items.size()));
  Sequence sequence{std::move(items), kind};
  for (const Value& item : sequence.items)
    sequence.depth = std::max(sequence.depth, depth_around(runtime, item));
  Value value;
  value.data_ = std::make_shared<const Sequence>(std::move(sequence));
  return value;
}

Value Value::range(Runtime& runtime, Range range) {
  Sequence sequence{{}, SequenceKind::kRange, range};
  for (std::int64_t i = range.start; range.step > 0 ? i < range.stop : i > range.stop;) {
    runtime.spend(kItemUnits);
    sequence.items.emplace_back(i);
    if (__builtin_add_overflow(i, range.step, &i)) break;
  }
  Value value;
  value.data_ = std::make_shared<const Sequence>(std::move(sequence));
  return value;
}

int Value::depth() const {
  if (sequence()) return sequence()->depth;
  return dict() ? dict()->depth() : 0;
}

void Dict::set(Runtime& runtime, std::string key, Value value) {
  runtime.spend(kItemUnits + key.size());
  depth_ = std::max(depth_, depth_around(runtime, value));
  const auto [place, is_new] = index_.try_emplace(key, items_.size());
  if (is_new) {
    items_.emplace_back(std::move(key), std::move(value));
  } else {
    items_[place->second].second = std::move(value);
  }
}

const Value* Dict::find(std::string_view key) const {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : &items_[found->second].second;
}

std::string_view type_name(const Value& value) {
  if (value.is_undefined()) return "undefined";
  if (value.is_none()) return "none";
  if (value.boolean()) return "bool";
  if (value.integer()) return "int";
  if (value.real()) return "float";
  if (value.text()) return "str";
  if (value.sequence()) return kKindNames[static_cast<std::size_t>(value.sequence()->kind)];
  if (value.dict()) return "dict";
  return value.object()->type();
}

bool is_true(const Value& value) {
  if (value.is_undefined() || value.is_none()) return false;
  if (is_number(value)) return number_of(value) != 0.0;
  if (value.text()) return !value.text()->empty();
  if (value.sequence()) return !value.sequence()->items.empty();
  if (value.dict()) return !value.dict()->items().empty();
  return true;
}

bool is_number(const Value& value) { return value.boolean() || value.integer() || value.real(); }

double number_of(const Value& value) {
  if (value.boolean()) return *value.boolean() ? 1.0 : 0.0;
  return value.integer() ? static_cast<double>(*value.integer()) : *value.real();
}

std::partial_ordering number_order(const Value& a, const Value& b) {
  if (a.real() && b.real()) return *a.real() <=> *b.real();
  if (a.real()) return 0 <=> order_of(whole_of(b), *a.real());
  if (b.real()) return order_of(whole_of(a), *b.real());
  return whole_of(a) <=> whole_of(b);
}

void require_hashable(Runtime& runtime, const Value& value) {
  runtime.step();
  const Sequence* sequence = value.sequence();
  if (value.dict() || (sequence && (sequence->kind == SequenceKind::kList || is_set(*sequence))))
    runtime.fail("a {} cannot be a key", type_name(value));
  if (sequence && sequence->is_tuple())
    for (const Value& item : sequence->items) require_hashable(runtime, item);
}

bool equal(Runtime& runtime, const Value& a, const Value& b) {
  runtime.step();
  if (is_number(a) && is_number(b)) return number_order(a, b) == 0;
  if (a.text() && b.text()) {
    runtime.spend(std::min(a.text()->size(), b.text()->size()));
    return *a.text() == *b.text();
  }
  if (a.sequence() && b.sequence()) return equal(runtime, *a.sequence(), *b.sequence());
  if (a.dict() && b.dict()) return equal(runtime, *a.dict(), *b.dict());
  if (a.object() || b.object()) return a.object() == b.object();
  return (a.is_none() && b.is_none()) || (a.is_undefined() && b.is_undefined());
}

std::string text_of(Runtime& runtime, const Value& value) {
  if (value.undefined()) return "";
  if (!value.text()) return repr_of(runtime, value);
  runtime.spend(value.text()->size());
  return *value.text();
}

std::string repr_of(Runtime& runtime, const Value& value) {
  runtime.step();
  std::string text;
  if (value.is_undefined())
    text = "Undefined";
  else if (value.is_none())
    text = "None";
  else if (value.boolean())
    text = *value.boolean() ? "True" : "False";
  else if (value.integer())
    text = std::to_string(*value.integer());
  else if (value.real())
    text = float_text(*value.real());
  else if (value.text())
    text = value.is_markup() ? "Markup(" + quoted(*value.text()) + ")" : quoted(*value.text());
  else if (value.sequence())
    text = written(runtime, value);
  else if (value.dict())
    text = written(runtime, *value.dict());
  else
    runtime.fail("a {} has no text", type_name(value));
  runtime.spend(text.size());
  return text;
}

std::vector<Value> items_of(Runtime& runtime, const Value& value) {
  std::vector<Value> items;
  if (value.sequence()) {
    items = value.sequence()->items;
  } else if (value.dict()) {
    for (const auto& item : value.dict()->items()) items.emplace_back(item.first);
  } else if (value.text()) {
    for (const std::string_view character : characters(*value.text()))
      items.emplace_back(std::string(character));
  } else if (value.object()) {
    items = value.object()->items(runtime);
  } else if (!value.is_undefined()) {
    runtime.fail("cannot loop over a value of kind {}", type_name(value));
  }
  runtime.spend(kItemUnits * items.size());
  return items;
}

}  // namespace dualpath::data::jinja
