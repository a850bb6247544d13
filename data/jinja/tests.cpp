#include "data/jinja/tests.h"

#include <algorithm>
#include <array>
#include <utility>

#include "data/jinja/operators.h"
#include "data/jinja/parameters.h"
#include "data/jinja/python_text.h"

namespace dualpath::data::jinja {
namespace {

/// Tests of the value alone.
using Plain = bool (*)(Runtime&, const Value&);

bool is_multiple(Runtime& runtime, const Value& value, std::int64_t of) {
  const Value rest = calculated(runtime, "%", value, Value(of));
  return number_of(rest) == 0.0;
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
    {"sequence", [](Runtime&, const Value& v) { return v.text() || v.sequence() || v.dict(); }},
    {"iterable",
     [](Runtime&, const Value& v) {
       return v.text() || v.sequence() || v.dict() || v.is_undefined();
     }},
    {"callable", [](Runtime&, const Value& v) { return v.object() && v.object()->is_callable(); }},
    {"odd", [](Runtime& r, const Value& v) { return !is_multiple(r, v, 2); }},
    {"even", [](Runtime& r, const Value& v) { return is_multiple(r, v, 2); }},
    {"upper",
     [](Runtime&, const Value& v) {
       return v.text() && upper(*v.text()) == *v.text() && lower(*v.text()) != *v.text();
     }},
    {"lower",
     [](Runtime&, const Value& v) {
       return v.text() && lower(*v.text()) == *v.text() && upper(*v.text()) != *v.text();
     }},
    {"escaped", [](Runtime&, const Value&) { return false; }},
}};

/// Tests against another value, by the operator they are.
constexpr std::array<std::pair<std::string_view, const char*>, 12> kComparing{
    {{"eq", "=="},
     {"equalto", "=="},
     {"ne", "!="},
     {"lt", "<"},
     {"lessthan", "<"},
     {"le", "<="},
     {"gt", ">"},
     {"greaterthan", ">"},
     {"ge", ">="},
     {"in", "in"},
     {"sameas", "is"},
     {"divisibleby", "%"}}};

bool compares(Runtime& runtime, const std::string& op, const Value& value, const Value& other) {
  if (op == "%") {
    if (!other.integer()) runtime.fail("divisibleby: expected an int, got {}", type_name(other));
    return is_multiple(runtime, value, *other.integer());
  }
  if (op != "is") return compared(runtime, op, value, other);
  return type_name(value) == type_name(other) && equal(runtime, value, other);
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
    const Parameters given(runtime, name, arguments, {"other"});
    return compares(runtime, op, value, given.required(0));
  }
  runtime.fail("the test '{}' is not supported", printable(name));
}

}  // namespace dualpath::data::jinja
