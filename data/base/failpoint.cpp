#include "data/base/failpoint.h"

#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdlib>

#include "data/base/error.h"

namespace dualpath {
namespace {

struct Order {
  std::string_view name;
  int count = 1;
  bool kill = false;
};

bool parse_count(std::string_view text, int& count) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), count);
  return failure == std::errc() && end == text.data() + text.size() && count > 0;
}

Order parse(std::string_view text) {
  const std::size_t equals = text.rfind('=');
  const std::string_view place = text.substr(0, equals);
  const std::string_view action = equals == text.npos ? "" : text.substr(equals + 1);
  const std::size_t colon = place.find(':');
  Order order{.name = place.substr(0, colon), .kill = action == "kill"};
  const bool good_count = colon == place.npos || parse_count(place.substr(colon + 1), order.count);
  if (order.name.empty() || !good_count || (!order.kill && action != "error")) {
    throw Error("DUALPATH_FAILPOINT: expected name[:count]=kill|error, got {:?}", text);
  }
  return order;
}

std::atomic<int> hits = 0;

}  // namespace

void failpoint(std::string_view name) {
  const char* value = std::getenv("DUALPATH_FAILPOINT");
  if (value == nullptr) return;
  const Order order = parse(value);
  if (order.name != name || ++hits != order.count) return;
  if (order.kill) std::raise(SIGKILL);
  throw Error("failpoint {} was told to fail", name);
}

}  // namespace dualpath
