#include "data/jinja/tests.h"

#include <algorithm>
#include <array>
#include <utility>

#include "data/jinja/values/letter_case.h"
#include "data/jinja/values/operators.h"
#include "data/jinja/values/parameters.h"

namespace dualpath::data::jinja {
namespace {

/// Tests of the value alone.
using Plain = bool (*)(Runtime&, const Value&);

bool leaves(Runtime& runtime, const Value& value, const Value& divisor, std::int64_t rest) {
  return equal(runtime, calculated(runtime, "%", value, divisor), Value(rest));
}

constexpr std::array<std::pair<std::string_view, Plain>, 19> kPlain{{
    {"defined", [](Runtime&, const Value& v) { return !v.is_undefined(); }},
    {"undefined", [](Runtime&, const Value& v) { return v.is_undefined(); }},
    {"none", [](Runtime&, const Value& v) { return v.is_none(); }},
    {"boolean", [](Runtime&, const Value& v) { return v.boolean() != nullptr; }},
    {"true", [](Runtime&, const Value& v) { return v.boolean() && *v.boolean(); }},
    {"false", [](Runtime&, const Value& v) { return v.boolean() && !*v.boolean(); }},
    {"number", [](Runtime&, const Value& v) { return is_number(v); }},
    {"integer", [](Runtime&, const Value& v) { return v.integer() != nullptr; }},
    {"float", [](Runtime&, const Value& v) { return v.real() != nullptr; }},
    {"string", [](Runtime&, const Value& v) { return v.text() != nullptr; }},
    {"mapping", [](Runtime&, const Value& v) { return v.dict() != nullptr; }},
    {"sequence",
     [](Runtime&, const Value& v) {
       return v.text() || v.dict() || v.is_undefined() ||
              (v.sequence() && v.sequence()->has_index());
     }},
    {"iterable",
     [](Runtime&, const Value& v) {
       return v.text() || v.sequence() || v.dict() || v.is_undefined() ||
              (v.object() && v.object()->is_iterable());
     }},
    {"callable",
     [](Runtime&, const Value& v) {
       return v.is_undefined() || (v.object() && v.object()->is_callable());
     }},
    {"odd", [](Runtime& r, const Value& v) { return leaves(r, v, Value(std::int64_t{2}), 1); }},
    {"even", [](Runtime& r, const Value& v) { return leaves(r, v, Value(std::int64_t{2}), 0); }},
    {"upper", [](Runtime& r, const Value& v) { return is_upper_text(text_of(r, v)); }},
    {"lower", [](Runtime& r, const Value& v) { return is_lower_text(text_of(r, v)); }},
    {"escaped", [](Runtime&, const Value& v) { return v.is_markup(); }},
}};

/// Tests against another value, with their operators.
constexpr std::array<std::pair<std::string_view, const char*>, 18> kComparing{
    {{"eq", "=="},
     {"equalto", "=="},
     {"==", "=="},
     {"ne", "!="},
     {"!=", "!="},
     {"lt", "<"},
     {"lessthan", "<"},
     {"<", "<"},
     {"le", "<="},
     {"<=", "<="},
     {"gt", ">"},
     {"greaterthan", ">"},
     {">", ">"},
     {"ge", ">="},
     {">=", ">="},
     {"in", "in"},
     {"sameas", "is"},
     {"divisibleby", "%"}}};

/// Python's `is`. Which equal numbers and texts are one object is Python's own affair.
bool is_same(Runtime& runtime, const Value& a, const Value& b) {
  if (a.is_none() || b.is_none()) return a.is_none() && b.is_none();
  if (a.boolean() || b.boolean()) return a.boolean() && b.boolean() && *a.boolean() == *b.boolean();
  if (a.sequence() || b.sequence()) return a.sequence() == b.sequence();
  if (a.dict() || b.dict()) return a.dict() == b.dict();
  if (a.object() || b.object()) return a.object() == b.object();
  if (type_name(a) == type_name(b) && equal(runtime, a, b))
    runtime.fail("sameas between values of kind {} is not supported", type_name(a));
  return false;
}

bool compares(Runtime& runtime, const std::string& op, const Value& value, const Value& other) {
  if (op == "%") return leaves(runtime, value, other, 0);
  return op == "is" ? is_same(runtime, value, other) : compared(runtime, op, value, other);
}

}  // namespace

bool passes(Runtime& runtime, const std::string& name, const Value& value,
            const CallArguments& arguments) {
  for (const auto& [known, test] : kPlain) {
    if (known != name) continue;
    const Parameters none(runtime, name, arguments, {});
    return test(runtime, value);
  }
  for (const auto& [known, op] : kComparing) {
    if (known != name) continue;
    const Parameters given(runtime, name, arguments, {"other"}, Naming::kPositionalOnly);
    return compares(runtime, op, value, given.required(0));
  }
  runtime.fail("the test '{}' is not supported", printable(name));
}

}  // namespace dualpath::data::jinja
