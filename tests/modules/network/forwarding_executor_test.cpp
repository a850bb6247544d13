#include "modules/network/forwarding_executor.h"

#include "modules/correction/corrections.h"
#include "tests/support/called_executor.h"
#include "tests/support/catch.h"

using namespace dualpath::modules;
using namespace dualpath::testing;

TEST_CASE("a forwarding executor asks the one below for everything", "[modules][executor]") {
  CalledExecutor below;
  ForwardingExecutor executor(below);
  const std::vector<std::string> methods = call_every_method(executor);
  CHECK(below.calls == methods);
}

TEST_CASE("an executor with corrections asks the one below for everything", "[modules][executor]") {
  CalledExecutor below;
  const Corrections none;
  Corrected executor(below, none);
  const std::vector<std::string> methods = call_every_method(executor);
  CHECK(below.calls == methods);
}
