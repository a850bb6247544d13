#include "modules/state.h"

#include "tests/support/catch.h"

using namespace dualpath::modules;

TEST_CASE("a state starts at position 0 and has no padding unless told", "[modules][state]") {
  const at::Tensor ids = torch::tensor({{5, 6, 7}, {8, 9, 10}}, at::kLong);
  const State state = make_state(ids);
  CHECK(state.positions.equal(torch::tensor({{0, 1, 2}, {0, 1, 2}}, at::kLong)));
  CHECK(state.mask.equal(at::ones({2, 3}, at::kBool)));
  CHECK_FALSE(state.hidden.defined());
  const at::Tensor mask = torch::tensor({{true, true, false}, {true, true, true}});
  CHECK(make_state(ids, mask).mask.equal(mask));
}

TEST_CASE("positions go on behind what the cache holds", "[modules][state]") {
  KvCache cache;
  CHECK(cache.length() == 0);
  cache.append("layer", at::zeros({1, 2, 4, 8}), at::zeros({1, 2, 4, 8}));
  CHECK(cache.length() == 4);
  const State state = make_state(torch::tensor({{5, 6}}, at::kLong), &cache);
  CHECK(state.positions.equal(torch::tensor({{4, 5}}, at::kLong)));
}

TEST_CASE("the cache keeps each attention's keys and values in order", "[modules][state]") {
  KvCache cache;
  const at::Tensor first = at::full({1, 1, 2, 1}, 1.0f), second = at::full({1, 1, 1, 1}, 2.0f);
  cache.append("a", first, -first);
  cache.append("b", first * 10.0, first);
  const auto [keys, values] = cache.append("a", second, -second);
  CHECK(keys.flatten().equal(torch::tensor({1.0f, 1.0f, 2.0f})));
  CHECK(values.flatten().equal(torch::tensor({-1.0f, -1.0f, -2.0f})));
}
