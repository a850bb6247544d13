#include "modules/network/state.h"

#include "modules/ops/attention.h"

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

TEST_CASE("attention over the cache has the bits that it has over one concatenated tensor",
          "[modules][state]") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const std::int64_t batch = GENERATE(1, 2);
  torch::manual_seed(3);
  const auto random = [&](std::int64_t heads, std::int64_t tokens) {
    return torch::randn({batch, tokens, heads, 64}).to(dtype).transpose(1, 2);
  };
  KvCache cache;
  at::Tensor keys, values;
  for (const std::int64_t tokens : {37, 1, 1, 30, 1, 1}) {
    const at::Tensor q = random(9, tokens), k = random(3, tokens), v = random(3, tokens);
    keys = keys.defined() ? at::cat({keys, k}, 2) : k;
    values = values.defined() ? at::cat({values, v}, 2) : v;
    const auto [held_keys, held_values] = cache.append("layer", k, v);
    CHECK(held_keys.equal(keys));
    CHECK(held_values.equal(values));
    CHECK(attention(q, held_keys, held_values).equal(attention(q, keys, values)));
  }
}

TEST_CASE("what the cache has handed out stays as it was", "[modules][state]") {
  KvCache cache;
  const at::Tensor one = at::full({1, 1, 1, 2}, 1.0f);
  const at::Tensor first = cache.append("a", one, one).first;
  const at::Tensor second = cache.append("a", one * 2, one).first;
  const at::Tensor third = cache.append("a", one * 3, one).first;
  CHECK(first.flatten().equal(torch::tensor({1.0f, 1.0f})));
  CHECK(second.flatten().equal(torch::tensor({1.0f, 1.0f, 2.0f, 2.0f})));
  CHECK(third.size(2) == 3);
}
