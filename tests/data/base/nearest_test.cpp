#include "data/base/nearest.h"

#include <catch2/catch.hpp>

using dualpath::nearest;

TEST_CASE("the nearest name needs the fewest changes", "[nearest]") {
  CHECK(nearest("windw", {"train", "window", "split"}) == "window");
  CHECK(nearest("lm_haed", {"model.layers.0.mlp.up_proj", "lm_head"}) == "lm_head");
  CHECK(nearest("", {"abc", "a", "ab"}) == "a");
}

TEST_CASE("a letter in another case is half a change", "[nearest]") {
  CHECK(nearest("MLP", {"lm", "mlp"}) == "mlp");
  CHECK(nearest("mLp", {"mlp", "mxp"}) == "mlp");
}
