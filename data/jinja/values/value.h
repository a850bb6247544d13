#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "data/jinja/values/runtime.h"

namespace dualpath::data::jinja {

class Value;
struct Sequence;
class Dict;

/// The value of an unknown name: empty and false, but an error to look into.
struct Undefined {
  std::shared_ptr<const std::string> name;
};
struct None {};

/// The arguments of a call.
struct CallArguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

/// A value that is no plain data: a function, macro, bound method or namespace, or `loop`.
struct Object {
  virtual ~Object() = default;
  /// "namespace", "macro": for errors.
  virtual std::string_view type() const = 0;
  /// An attribute; undefined if there is none.
  virtual Value attribute(Runtime& runtime, const std::string& name);
  /// Sets an attribute; only a namespace's can be set.
  virtual void set_attribute(Runtime& runtime, const std::string& name, Value value);
  virtual bool is_callable() const { return false; }
  virtual Value call(Runtime& runtime, const CallArguments& arguments) const;
  virtual bool is_iterable() const { return false; }
  /// The items that a loop over it gives.
  virtual std::vector<Value> items(Runtime& runtime);
};

enum class SequenceKind { kList, kTuple, kRange, kKeys, kValues, kItems };

/// start, start + step, …, before stop.
struct Range {
  std::int64_t start, stop, step;
};

/// Text that was marked as safe. It reads the same, but text joined to it would be escaped.
struct Markup {
  std::string text;
};

/// A value of a template, with Python's meaning: immutable but for namespaces, cheap to copy. Text
/// is UTF-8. Data hold data only, no objects, so that nothing can hold itself.
class Value {
 public:
  Value() = default;  // none
  explicit Value(bool value) : data_(value) {}
  explicit Value(std::int64_t value) : data_(value) {}
  explicit Value(double value) : data_(value) {}
  explicit Value(std::string text) : data_(std::make_shared<const std::string>(std::move(text))) {}
  explicit Value(Dict dict);
  explicit Value(std::shared_ptr<Object> object) : data_(std::move(object)) {}
  explicit Value(Markup markup) : data_(std::make_shared<const Markup>(std::move(markup))) {}
  Value(const char*) = delete;
  static Value undefined(std::string name) {
    Value value;
    value.data_ = Undefined{std::make_shared<const std::string>(std::move(name))};
    return value;
  }
  static Value sequence(Runtime& runtime, std::vector<Value> items,
                        SequenceKind kind = SequenceKind::kList);
  /// step not 0.
  static Value range(Runtime& runtime, Range range);

  bool is_undefined() const { return std::holds_alternative<Undefined>(data_); }
  bool is_none() const { return std::holds_alternative<None>(data_); }
  const Undefined* undefined() const { return std::get_if<Undefined>(&data_); }
  const bool* boolean() const { return std::get_if<bool>(&data_); }
  const std::int64_t* integer() const { return std::get_if<std::int64_t>(&data_); }
  const double* real() const { return std::get_if<double>(&data_); }
  /// The text; null if the value is of another kind. The functions below do likewise.
  const std::string* text() const {
    return is_markup() ? &pointed<Markup>()->text : pointed<std::string>();
  }
  bool is_markup() const { return pointed<Markup>() != nullptr; }
  const Sequence* sequence() const { return pointed<Sequence>(); }
  const Dict* dict() const { return pointed<Dict>(); }
  Object* object() const {
    const auto* held = std::get_if<std::shared_ptr<Object>>(&data_);
    return held ? held->get() : nullptr;
  }

  /// Counts the containers inside one another; 0 for a value that is no container.
  int depth() const;

 private:
  template <class T>
  const T* pointed() const {
    const auto* held = std::get_if<std::shared_ptr<const T>>(&data_);
    return held ? held->get() : nullptr;
  }

  std::variant<None, Undefined, bool, std::int64_t, double, std::shared_ptr<const std::string>,
               std::shared_ptr<const Markup>, std::shared_ptr<const Sequence>,
               std::shared_ptr<const Dict>, std::shared_ptr<Object>>
      data_;
};

/// A list, a tuple or another ordered value: a range, a dict's keys, values or items.
struct Sequence {
  std::vector<Value> items;
  SequenceKind kind = SequenceKind::kList;
  Range range = {};  ///< the range of a kRange
  int depth = 1;

  bool is_tuple() const { return kind == SequenceKind::kTuple; }
  /// A list or tuple: can be joined, repeated, ordered and sliced.
  bool is_plain() const { return kind == SequenceKind::kList || is_tuple(); }
  /// Whether an index finds something in it; a dict's keys, values and items can only be looped
  /// over.
  bool has_index() const { return is_plain() || kind == SequenceKind::kRange; }
};

/// A dict. Keys are text, in the order they came.
class Dict {
 public:
  /// Sets a key, in place of its old value. A value that is an object or nested too deeply is an
  /// Error.
  void set(Runtime& runtime, std::string key, Value value);
  /// The value of a key; null if there is none.
  const Value* find(std::string_view key) const;
  const std::vector<std::pair<std::string, Value>>& items() const { return items_; }
  int depth() const { return depth_; }

 private:
  std::vector<std::pair<std::string, Value>> items_;
  std::map<std::string, std::size_t, std::less<>> index_;
  int depth_ = 1;
};

/// Python's name of the type: "str", "dict", ….
std::string_view type_name(const Value& value);
/// Python's bool().
bool is_true(const Value& value);
/// Python's ==.
bool equal(Runtime& runtime, const Value& a, const Value& b);
/// Throws an Error for a value that cannot be a key: a list, a dict, or one that holds such.
void require_hashable(Runtime& runtime, const Value& value);
/// Whether the value is a number; bools count as 0 and 1.
bool is_number(const Value& value);
/// The number as a double.
double number_of(const Value& value);
/// Orders two numbers; an int is compared exactly with a float.
std::partial_ordering number_order(const Value& a, const Value& b);

/// Python's str() and repr().
std::string text_of(Runtime& runtime, const Value& value);
std::string repr_of(Runtime& runtime, const Value& value);

/// The items of a loop: a list's items, a dict's keys, a text's characters, none of an undefined.
/// Other values are an Error.
std::vector<Value> items_of(Runtime& runtime, const Value& value);

}  // namespace dualpath::data::jinja
