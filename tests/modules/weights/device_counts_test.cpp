#include "modules/weights/device_counts.h"

#include "modules/execute/float_executor.h"
#include "modules/network/network.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/model.h"

using namespace dualpath;
using namespace dualpath::modules;
using namespace dualpath::testing;
using at::Tensor;

namespace {

// Counts on the CPU, which stands for a device: the reader cannot tell.

void count(const std::string& what, std::int64_t broken) {
  const Tensor values = torch::zeros({3, 5}, at::kBFloat16);
  count_on_device(what, values, [&](const Tensor& counter) { counter.add_(broken); });
}

}  // namespace

TEST_CASE("a count outside of a stage is read at once", "[modules][finite]") {
  CHECK_NOTHROW(count("a.input", 0));
  CHECK(error_message([] { count("a.input", 2); }) ==
        "a.input: 2 of 15 values are not finite in bfloat16 (model.dtype)");
}

TEST_CASE("counts are read together, and the first site that has one is named",
          "[modules][finite]") {
  DeviceCounts counts;
  for (int i = 0; i < 600; ++i) count("site " + std::to_string(i), i >= 300 ? i : 0);
  CHECK(error_message([&] { counts.check(); }) ==
        "site 300: 300 of 15 values are not finite in bfloat16 (model.dtype)");
  CHECK_NOTHROW(counts.check());  // counts are forgotten
  count("again", 0);
  CHECK_NOTHROW(counts.check());
}

TEST_CASE("counts of a stage inside another one are its own", "[modules][finite]") {
  DeviceCounts outer;
  count("outer", 1);
  {
    DeviceCounts inner;
    count("inner", 0);
    CHECK_NOTHROW(inner.check());
  }
  count("later", 2);
  CHECK(error_message([&] { outer.check(); }) ==
        "outer: 1 of 15 values are not finite in bfloat16 (model.dtype)");
}

TEST_CASE("a stage's counts are read when it ends, and none is left behind", "[modules][finite]") {
  std::string seen;
  const Stage stage{"layer", /*correctable=*/false, [&](Executor&, State&) {
                      count("layer.input", 4);
                      seen = "the rest of the stage";
                    }};
  FloatExecutor executor(std::make_shared<MemoryStore>(NamedTensors{}), at::kFloat);
  State state = make_state(torch::zeros({1, 1}, at::kLong));
  CHECK(error_message([&] { run(stage, executor, state); }) ==
        "layer.input: 4 of 15 values are not finite in bfloat16 (model.dtype)");
  CHECK(seen == "the rest of the stage");
  CHECK(DeviceCounts::newest() == nullptr);
}
