#include "quant/ops/dequantize.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "modules/ops/kernel_call.h"
#include "modules/ops/on_device.h"
#include "quant/kernels/dequantize.h"

namespace dualpath::quant {
namespace {

using at::Tensor;

void dequantize_on_cpu(const CodeRows& in, const Tensor& y) {
  const data::Element element = modules::element_of(y.scalar_type());
  const auto part = [&](std::int64_t row, std::int64_t rows, std::int64_t begin,
                        std::int64_t width) {
    const CodeRows some{in.codes + begin, in.is_unsigned, in.scale + row, rows, width};
    dequantize_cpu(some, element, modules::element_at(y, begin));
  };
  if (in.rows == 1) {
    modules::for_elements(
        in.width, [&](std::int64_t begin, std::int64_t end) { part(0, 1, begin, end - begin); });
  } else {
    at::parallel_for(0, in.rows, modules::rows_of_grain(in.width),
                     [&](std::int64_t begin, std::int64_t end) {
                       part(begin, end - begin, begin * in.width, in.width);
                     });
  }
}

}  // namespace

Tensor dequantize(const Tensor& any_codes, const Tensor& scale, at::ScalarType dtype) {
  TORCH_CHECK(scale.numel() > 0 && any_codes.numel() % scale.numel() == 0, any_codes.numel(),
              " codes for ", scale.numel(), " scales");
  const Tensor codes = any_codes.contiguous();
  const Tensor y = at::empty(codes.sizes(), codes.options().dtype(dtype));
  const CodeRows in{modules::data_or_null<std::int8_t>(codes), codes.scalar_type() == at::kByte,
                    scale.const_data_ptr<float>(), scale.numel(), codes.numel() / scale.numel()};
  const auto on_cuda = [&](void* stream) {
    dequantize_cuda(in, modules::element_of(dtype), y.data_ptr(), stream);
  };
  modules::on_device(
      codes, [&] { dequantize_on_cpu(in, y); }, on_cuda);
  return y;
}

}  // namespace dualpath::quant
