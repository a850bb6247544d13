#include "trainer/processes/network_address.h"

#include <vector>

#include "data/base/error.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;
using Ways = std::vector<NetworkWay>;

TEST_CASE("processes of one machine talk over the loopback", "[trainer][network]") {
  CHECK(address_among(Ways{{"127.0.0.1", "127.0.0.1"}, {"10.0.0.1", "10.0.0.1"}}, 1, true) ==
        "127.0.0.1");
}

TEST_CASE("a process talks from its address on the way to the store", "[trainer][network]") {
  CHECK(address_among(Ways{{"10.0.0.1", "10.0.0.1"}, {"10.0.0.2", "10.0.0.1"}}, 1, false) ==
        "10.0.0.2");
}

TEST_CASE("a machine whose own name is 127.0.1.1 takes the address that others reach it by",
          "[trainer][network]") {
  const Ways ways{{"127.0.0.1", "127.0.1.1"}, {"10.0.0.2", "10.0.0.1"}};
  CHECK(address_among(ways, 0, false) == "10.0.0.1");
  CHECK(address_among(ways, 1, false) == "10.0.0.2");
}

TEST_CASE("without an address that others reach, the variable that names one is named",
          "[trainer][network]") {
  const Ways ways = GENERATE(Ways{{"127.0.0.1", "127.0.1.1"}, {"127.0.0.1", "127.0.1.1"}},
                             Ways{{"", ""}, {"10.0.0.2", "10.0.0.1"}});
  CHECK_THAT(error_message([&] { address_among(ways, 0, false); }),
             Catch::StartsWith("process 0: ") && Catch::Contains("GLOO_SOCKET_IFNAME"));
}

TEST_CASE("the way to the loopback is the loopback", "[trainer][network]") {
  CHECK(way_to("127.0.0.1").from == "127.0.0.1");
  CHECK(way_to("127.0.0.1").to == "127.0.0.1");
  CHECK(way_to("no-such-host.invalid").from.empty());
}
