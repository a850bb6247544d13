#include "quant/ops/dequantize.h"

#include "tests/support/catch.h"

using namespace dualpath;
using namespace dualpath::quant;
using torch::Tensor;

namespace {

Tensor random_int8_codes(std::int64_t rows, std::int64_t columns) {
  return torch::randint(-128, 128, {rows, columns}, at::kChar);
}

}  // namespace

TEST_CASE("codes come back as values by one scale or one a row", "[quant][kernels]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  torch::manual_seed(10);
  const Tensor codes = random_int8_codes(130, 577), scale = torch::rand(130);
  const Tensor wide = codes.to(at::kFloat);
  CHECK(dequantize(codes, scale, dtype).equal((wide * scale.unsqueeze(1)).to(dtype)));
  CHECK(dequantize(codes, scale.slice(0, 3, 4), dtype).equal((wide * scale[3]).to(dtype)));
  const Tensor shifted = (wide + 128).to(at::kByte);
  CHECK(dequantize(shifted, scale, dtype).equal(dequantize(codes, scale, dtype)));
}
