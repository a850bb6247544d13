#include "quant/arithmetic.h"

#include "tests/support/catch.h"

using namespace dualpath::quant;

TEST_CASE("a level is rounded half to even, then shifted", "[quant][arithmetic]") {
  CHECK(level(2.5f, {1.0f, 0, -128, 127}) == 2.0f);
  CHECK(level(3.5f, {1.0f, 0, -128, 127}) == 4.0f);
  CHECK(level(-0.5f, {1.0f, 0, -128, 127}) == 0.0f);
  CHECK(level(2.5f, {1.0f, 3, -128, 127}) == 5.0f);  // not round(5.5) = 6
}

TEST_CASE("activations saturate to [-128, 127], weights to [-127, 127]", "[quant][arithmetic]") {
  CHECK(quantize(1e30f, activation_grid(1.0f)) == 127);
  CHECK(quantize(-1e30f, activation_grid(1.0f)) == -128);
  CHECK(quantize(-1e30f, weight_grid(1.0f)) == -127);
  CHECK(quantize(3e38f, activation_grid(1e-30f)) == 127);  // the level is infinite
}

TEST_CASE("a level is in range up to where rounding passes the end", "[quant][arithmetic]") {
  const Grid grid = activation_grid(1.0f);
  CHECK(in_range(level(127.5f - 1e-4f, grid), grid));
  CHECK_FALSE(in_range(level(127.5f, grid), grid));  // a tie: 128 is even
  CHECK(in_range(level(-128.5f, grid), grid));       // a tie: -128 is even
  CHECK_FALSE(in_range(level(-128.6f, grid), grid));
}

TEST_CASE("a code stands for its distance from the zero point, in scales", "[quant][arithmetic]") {
  CHECK(dequantize(-3, {0.5f, 0, -128, 127}) == -1.5f);
  CHECK(dequantize(7, {0.5f, 3, -128, 127}) == 2.0f);
}

TEST_CASE("a channel of zeros has scale 1", "[quant][arithmetic]") {
  CHECK(symmetric_scale(0.0f, 127) == 1.0f);
  CHECK(symmetric_scale(1e-45f, 127) == 1.0f);  // the scale would underflow
  CHECK(symmetric_scale(254.0f, 127) == 2.0f);
}

TEST_CASE("a sum is multiplied once, by the product of both scales", "[quant][arithmetic]") {
  CHECK(scaled_sum(1000, 1e30f, 1e-30f) == 1000.0f * (1e30f * 1e-30f));
  CHECK(std::isfinite(scaled_sum(1 << 30, 1e30f, 1e-30f)));  // not (sum * 1e30) * 1e-30
}
