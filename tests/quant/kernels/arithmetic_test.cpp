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

TEST_CASE("activations of 4 bits saturate to [-8, 7], shifted ones to [120, 135]",
          "[quant][arithmetic]") {
  const Grid grid = activation_grid(1.0f, 4), shifted = unsigned_activation_grid(1.0f, 4);
  CHECK(quantize(1e30f, grid) == 7);
  CHECK(quantize(-1e30f, grid) == -8);
  CHECK(quantize(1e30f, shifted) == 135);
  CHECK(quantize(-1e30f, shifted) == 120);
  CHECK(in_range(level(7.4f, grid), grid));
  CHECK_FALSE(in_range(level(7.5f, grid), grid));  // a tie: 8 is even
  CHECK(in_range(level(-8.5f, grid), grid));       // a tie: -8 is even
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

TEST_CASE("an asymmetric grid has its ends at the range's, and zero on it", "[quant][arithmetic]") {
  const Grid grid = asymmetric_grid(-3.0f, 12.0f, 4);
  CHECK(grid.scale == 1.0f);
  CHECK(grid.zero_point == -5);
  CHECK(grid.qmin == -8);
  CHECK(grid.qmax == 7);
  CHECK(quantize(-3.0f, grid) == -8);
  CHECK(quantize(0.0f, grid) == -5);
  CHECK(quantize(12.0f, grid) == 7);
  CHECK(asymmetric_grid(0.0f, 7.0f, 3).zero_point == -4);
  CHECK(asymmetric_grid(-7.0f, 0.0f, 3).zero_point == 3);
}

TEST_CASE("without its zero point a grid has the same values", "[quant][arithmetic]") {
  const Grid grid = asymmetric_grid(-0.7f, 2.9f, 4), folded = without_zero_point(grid);
  for (float x = -1.0f; x < 3.5f; x += 0.01f) {
    CHECK(quantize(x, folded) == quantize(x, grid) - grid.zero_point);
    CHECK(dequantize(quantize(x, folded), folded) == dequantize(quantize(x, grid), grid));
  }
}

TEST_CASE("an asymmetric range may be nothing, tiny or wider than float32", "[quant][arithmetic]") {
  CHECK(asymmetric_grid(0.0f, 0.0f, 4).scale == 1.0f);
  CHECK(asymmetric_grid(-1e-45f, 0.0f, 4).scale == 1.0f);
  const Grid tiny = asymmetric_grid(-3e-44f, 0.0f, 4);  // scale rounds by half: the end saturates
  CHECK(tiny.zero_point <= tiny.qmax);
  const Grid wide = asymmetric_grid(-3e38f, 3e38f, 4);
  CHECK(std::isfinite(wide.scale));
  CHECK(quantize(3e38f, wide) == 7);
}

TEST_CASE("a sum is multiplied once, by the product of both scales", "[quant][arithmetic]") {
  CHECK(scaled_sum(1000, 1e30f, 1e-30f) == 1000.0f * (1e30f * 1e-30f));
  CHECK(std::isfinite(scaled_sum(1 << 30, 1e30f, 1e-30f)));  // not (sum * 1e30) * 1e-30
}
