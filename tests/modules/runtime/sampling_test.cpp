#include "modules/runtime/sampling.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "data/formats/json.h"
#include "tests/support/catch.h"
#include "tests/support/model.h"

using namespace dualpath;
using namespace dualpath::modules;
using namespace dualpath::testing;

namespace {

/// Logits of these probabilities.
std::vector<float> logits_of(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return logits;
}

std::vector<double> drawn(const std::vector<double>& probabilities, SamplingOptions options) {
  return drawing_probabilities(logits_of(probabilities), options);
}

void check_close(const std::vector<double>& got, const std::vector<double>& expected) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO(i);
    CHECK(got[i] == Approx(expected[i]).margin(1e-6));
    CHECK((got[i] == 0.0) == (expected[i] == 0.0));
  }
}

}  // namespace

TEST_CASE("temperature 1 leaves the model's probabilities, 1/2 squares them",
          "[modules][sampling]") {
  check_close(drawn({0.5, 0.25, 0.25}, {.temperature = 1.0}), {0.5, 0.25, 0.25});
  check_close(drawn({0.5, 0.25, 0.25}, {.temperature = 0.5}), {4 / 6.0, 1 / 6.0, 1 / 6.0});
}

TEST_CASE("top-k keeps the k most likely, and those as likely as the last of them",
          "[modules][sampling]") {
  check_close(drawn({0.1, 0.4, 0.3, 0.2}, {.temperature = 1.0, .top_k = 2}),
              {0, 4 / 7.0, 3 / 7.0, 0});
  check_close(drawn({0.25, 0.5, 0.25}, {.temperature = 1.0, .top_k = 2}), {0.25, 0.5, 0.25});
  check_close(drawn({0.6, 0.4}, {.temperature = 1.0, .top_k = 9}), {0.6, 0.4});
}

TEST_CASE("top-p keeps the fewest that have so much together, and at least one",
          "[modules][sampling]") {
  const auto kept = [](double p) {
    return drawn({0.1, 0.5, 0.3, 0.1}, {.temperature = 1.0, .top_p = p});
  };
  check_close(kept(0.45), {0, 1, 0, 0});
  check_close(kept(0.55), {0, 5 / 8.0, 3 / 8.0, 0});
  check_close(kept(0.85), {0, 5 / 9.0, 3 / 9.0, 1 / 9.0});
  check_close(kept(1e-9), {0, 1, 0, 0});
}

TEST_CASE("top-p counts what temperature and top-k have left", "[modules][sampling]") {
  // Top-k 2 leaves 5/8 and 3/8.
  check_close(drawn({0.1, 0.5, 0.3, 0.1}, {.temperature = 1.0, .top_k = 2, .top_p = 0.6}),
              {0, 1, 0, 0});
  // Squares are 25/36, 9/36, 1/36, 1/36.
  check_close(drawn({0.1, 0.5, 0.3, 0.1}, {.temperature = 0.5, .top_p = 0.65}), {0, 1, 0, 0});
}

TEST_CASE("probabilities are transformers'", "[modules][sampling]") {
  const auto all = data::read_json(kReference / "generation.json");
  CHECK(all["sampling"].size() > 5);
  for (const auto& c : all["sampling"]) {
    INFO(c["temperature"] << " " << c["top_k"] << " " << c["top_p"]);
    check_close(drawing_probabilities(
                    c["logits"].get<std::vector<float>>(),
                    {.temperature = c["temperature"], .top_k = c["top_k"], .top_p = c["top_p"]}),
                c["probabilities"]);
  }
}

TEST_CASE("a seed gives the same draws again, and another seed others", "[modules][sampling]") {
  const std::vector<float> logits(64, 0.0f);
  const auto draws = [&](std::uint64_t seed) {
    Sampler sampler({.temperature = 1.0}, seed);
    std::vector<std::int64_t> tokens;
    for (int i = 0; i < 20; ++i) tokens.push_back(sampler.draw(logits));
    return tokens;
  };
  CHECK(draws(1) == draws(1));
  CHECK(draws(1) != draws(2));
}

TEST_CASE("tokens are drawn as often as they are likely", "[modules][sampling]") {
  const std::vector<float> logits = logits_of({0.5, 0.3, 0.2});
  Sampler sampler({.temperature = 1.0}, 5);
  std::vector<int> count(3);
  for (int i = 0; i < 10'000; ++i) ++count[static_cast<std::size_t>(sampler.draw(logits))];
  CHECK(count[0] == Approx(5000).margin(200));  // four standard deviations
  CHECK(count[1] == Approx(3000).margin(200));
}
