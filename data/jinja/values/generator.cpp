#include "data/jinja/values/generator.h"

#include <utility>

namespace dualpath::data::jinja {
namespace {

struct Generator : Object {
  explicit Generator(Value of) : sequence(std::move(of)) {}
  std::string_view type() const override { return "generator"; }
  bool is_iterable() const override { return true; }
  std::vector<Value> items(Runtime& runtime) override {
    if (std::exchange(was_taken, true))
      runtime.fail("a generator that is looped over twice is not supported: make it a list");
    return sequence.sequence()->items;
  }

  Value sequence;
  bool was_taken = false;
};

}  // namespace

Value generator(Runtime& runtime, std::vector<Value> items) {
  return Value(std::shared_ptr<Object>(
      std::make_shared<Generator>(Value::sequence(runtime, std::move(items)))));
}

}  // namespace dualpath::data::jinja
