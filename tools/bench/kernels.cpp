// The kernels, timed one by one over the shapes of SmolLM2, of a 9B model and of encoders, with
// Google Benchmark's own options:
//   bench_kernels --benchmark_filter=quantize --benchmark_format=json
// A name is KERNEL/SHAPE/threads:N/real_time. "copy/" before a name is a plain copy that reads and
// writes as many bytes as that kernel. The ratio of the two bytes_per_second is the kernel's share
// of memory's speed.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <torch/utils.h>

#include <cstring>
#include <functional>

#include "modules/correction/correction.h"
#include "modules/ops/depthwise.h"
#include "modules/ops/gated.h"
#include "modules/ops/kernel_call.h"
#include "quant/kernels/quantize.h"
#include "quant/ops/integer_linear.h"
#include "quant/ops/norm_quantize.h"
#include "quant/ops/quantize_rows.h"

namespace {

using namespace dualpath;
using at::Tensor;

struct Shape {
  std::int64_t rows, columns;
};
constexpr int kThreads[] = {1, 2};
constexpr Shape kActivations[] = {{512, 576},   {512, 1536}, {1, 4096},    {512, 4096},
                                  {2048, 4096}, {1, 13696},  {512, 13696}, {2048, 13696}};
constexpr Shape kWeights[] = {{576, 576}, {1536, 576}, {576, 1536}, {4096, 4096}, {13696, 4096}};
constexpr Shape kHidden[] = {{512, 576}, {1, 4096}, {512, 4096}, {1024, 4096}, {2048, 4096}};

/// A product's x is [rows, in], its weight [out, in].
struct Product {
  std::int64_t rows, in, out;
};
constexpr Product kProducts[] = {{512, 576, 576},  {512, 576, 1536},   {512, 1536, 576},
                                 {1, 4096, 4096},  {512, 4096, 4096},  {2048, 4096, 4096},
                                 {1, 4096, 13696}, {512, 4096, 13696}, {2048, 4096, 13696},
                                 {1, 13696, 4096}, {512, 13696, 4096}, {1576, 768, 3072},
                                 {3200, 512, 2048}};

/// The work of one call, and the bytes that it reads and writes.
struct Work {
  std::function<void()> run;
  std::int64_t bytes;
};

std::string text(Shape shape) { return fmt::format("{}x{}", shape.rows, shape.columns); }

/// Adds a benchmark. `make` makes its tensors when the benchmark's turn comes.
void add(const std::string& name, const std::function<Work()>& make) {
  for (const int threads : kThreads) {
    benchmark::RegisterBenchmark(
        fmt::format("{}/threads:{}", name, threads).c_str(),
        [make, threads](benchmark::State& state) {
          at::set_num_threads(threads);
          const Work work = make();
          work.run();
          for ([[maybe_unused]] const auto _ : state) work.run();
          state.SetBytesProcessed(work.bytes * static_cast<std::int64_t>(state.iterations()));
        })
        ->UseRealTime();
  }
}

Tensor bytes_of(std::int64_t n) { return at::ones({n}, at::kByte); }

Work copy(std::int64_t bytes) {
  const Tensor from = bytes_of(bytes / 2), to = bytes_of(bytes / 2);
  const auto run = [from, to] {
    at::parallel_for(0, from.numel(), 1 << 15, [&](std::int64_t begin, std::int64_t end) {
      std::memcpy(to.mutable_data_ptr<std::uint8_t>() + begin,
                  from.const_data_ptr<std::uint8_t>() + begin,
                  static_cast<std::size_t>(end - begin));
    });
  };
  return {run, bytes};
}

void add_with_copy(const std::string& name, const std::function<Work()>& make) {
  add(name, make);
  add("copy/" + name, [make] { return copy(make().bytes); });
}

Tensor activations(Shape shape) {
  return (at::randn({shape.rows, shape.columns}) * 30.0).to(at::kBFloat16);
}

// Writes into memory that is there, like the copy: fresh memory of this size costs more than
// either.

Work quantize_tensor(Shape shape, bool with_mask) {
  constexpr std::int64_t kUnit = 64, kGrain = 1 << 15;
  const Tensor x = activations(shape), codes = bytes_of(x.numel()), mask = bytes_of(x.numel() / 8);
  const auto run = [=] {
    at::parallel_for(0, x.numel() / kUnit, kGrain / kUnit, [&](std::int64_t a, std::int64_t b) {
      const std::int64_t begin = a * kUnit;
      quant::quantize_cpu(data::Element::kBFloat16, x.const_data_ptr<at::BFloat16>() + begin,
                          (b - a) * kUnit, quant::unsigned_activation_grid(0.7f),
                          static_cast<std::int8_t*>(codes.data_ptr()) + begin,
                          with_mask ? mask.mutable_data_ptr<std::uint8_t>() + begin / 8 : nullptr);
    });
  };
  return {run, x.numel() * 3 + (with_mask ? mask.numel() : 0)};
}

Work quantize_rows(const Tensor& x, quant::Grid like) {
  constexpr std::int64_t kGrain = 1 << 15;
  const std::int64_t width = x.size(1);
  const Tensor codes = bytes_of(x.numel()), scale = at::empty({x.size(0)});
  const auto run = [=] {
    at::parallel_for(0, x.size(0), std::max<std::int64_t>(1, kGrain / width),
                     [&](std::int64_t begin, std::int64_t end) {
                       quant::quantize_rows_cpu(
                           modules::element_of(x.scalar_type()), modules::row_at(x, begin),
                           end - begin, width, like,
                           static_cast<std::int8_t*>(codes.data_ptr()) + begin * width,
                           scale.mutable_data_ptr<float>() + begin);
                     });
  };
  const auto bytes = static_cast<std::int64_t>(x.nbytes() + codes.nbytes() + scale.nbytes());
  return {run, bytes};
}

void add_quantize() {
  for (const Shape shape : kActivations) {
    add_with_copy("quantize_tensor/" + text(shape), [=] { return quantize_tensor(shape, false); });
    add_with_copy("quantize_tensor_mask/" + text(shape),
                  [=] { return quantize_tensor(shape, true); });
    add_with_copy("quantize_token/" + text(shape), [=] {
      return quantize_rows(activations(shape), quant::unsigned_activation_grid(1.0f));
    });
  }
  for (const Shape shape : kWeights) {
    add_with_copy("quantize_channel/" + text(shape), [=] {
      return quantize_rows(at::randn({shape.rows, shape.columns}), quant::weight_grid(1.0f));
    });
  }
}

void add_norm_quantize() {
  for (const Shape shape : kHidden) {
    add_with_copy("norm_quantize/" + text(shape), [=] {
      const Tensor x = activations(shape), weight = at::rand({shape.columns}),
                   scale = at::full({1}, 0.03f);
      const auto run = [=] {
        quant::norm_quantize(x, weight, 1e-5, quant::unsigned_activation_grid(1.0f), scale, "x");
      };
      return Work{run, x.numel() * 3};
    });
  }
}

void add_swiglu() {
  for (const Shape shape : kActivations) {
    add_with_copy("swiglu/" + text(shape), [=] {
      const Tensor gate = activations(shape), up = activations(shape);
      return Work{[=] { modules::gated(modules::Activation::kSilu, gate, up); }, gate.numel() * 6};
    });
  }
}

/// Times the correction. backward: also its work with the gradient of y, for which it computes the
/// forward way anew.
Work correction(Shape shape, bool backward) {
  modules::DualPathCorrection module(shape.columns, modules::CorrectionOptions(), 1);
  const Tensor x = activations(shape).requires_grad_(backward);
  const auto run = [=]() mutable {
    const Tensor y = module(x);
    if (!backward) return;
    y.backward(x.detach());
    x.mutable_grad() = Tensor();
    module->zero_grad();
  };
  return {run, x.numel() * (backward ? 12 : 4)};
}

void add_correction() {
  for (const Shape shape : kHidden) {
    add("correction/" + text(shape), [=] {
      const Work work = correction(shape, false);
      const auto run = [work] {
        const at::NoGradGuard no_gradient;
        work.run();
      };
      return Work{run, work.bytes};
    });
    add("correction_both_ways/" + text(shape), [=] { return correction(shape, true); });
  }
}

/// Adds a Conformer's depthwise convolution, 8 clips of 4 s, and torch's, which wants its channels
/// before the time.
void add_depthwise() {
  constexpr std::int64_t kClips = 8, kTime = 400, kChannels = 512, kTaps = 31;
  const modules::ConvRef ref{"depthwise", kChannels,   kChannels,           {kTaps},
                             {1},         {kTaps / 2}, /*groups=*/kChannels};
  const auto weight = [] { return at::randn({kChannels, 1, kTaps}).to(at::kBFloat16); };
  const std::string shape = fmt::format("{}x{}x{}x{}", kClips, kTime, kChannels, kTaps);
  const std::int64_t bytes = kClips * kTime * kChannels * 4;
  add("depthwise/" + shape, [=] {
    const Tensor x = activations({kClips * kTime, kChannels}).view({kClips, kTime, kChannels});
    const auto run = [=, taps = weight()] { modules::depthwise(ref, x.transpose(1, 2), taps, {}); };
    return Work{run, bytes};
  });
  add("torch_depthwise/" + shape, [=] {
    const Tensor x = activations({kClips * kChannels, kTime}).view({kClips, kChannels, kTime});
    const auto run = [=, taps = weight()] {
      at::conv1d(x, taps, {}, ref.stride, ref.padding, /*dilation=*/1, ref.groups);
    };
    return Work{run, bytes};
  });
}

quant::PreparedWeight prepared_weight(const Product& p, const quant::QuantArgs& args) {
  const quant::WeightKind kind = quant::fastest_kind(at::kCPU, args.group_size);
  return quant::prepare(quant::quantize_weight(at::randn({p.out, p.in}), "weight", args), kind);
}

Tensor codes_for(const Product& p, const quant::PreparedWeight& weight) {
  const bool is_unsigned = quant::takes_unsigned(weight.kind);
  return quant::quantize_tokens(activations({p.rows, p.in}), quant::token_grid(is_unsigned), "x")
      .values;
}

void add_products() {
  for (const Product p : kProducts) {
    const std::string shape = fmt::format("{}x{}x{}", p.rows, p.in, p.out);
    add("integer_linear/" + shape, [=] {
      const quant::PreparedWeight weight = prepared_weight(p, quant::kWeightInt8);
      const auto run = [=, codes = codes_for(p, weight)] {
        quant::integer_linear(codes, 0.7f, weight, /*bias=*/{}, at::kBFloat16);
      };
      return Work{run, p.rows * p.in + p.out * p.in + 2 * p.rows * p.out};
    });
    for (const std::int64_t size : {32, 64, 128}) {
      if (p.in % size != 0) continue;
      add(fmt::format("integer_linear_w4g{}/{}", size, shape), [=] {
        const quant::QuantArgs args{
            .num_bits = 4, .strategy = quant::Strategy::kGroup, .group_size = size};
        const quant::PreparedWeight weight = prepared_weight(p, args);
        const auto run = [=, codes = codes_for(p, weight)] {
          quant::integer_linear(codes, 0.7f, weight, /*bias=*/{}, at::kBFloat16);
        };
        return Work{run, p.rows * p.in + p.out * p.in + 2 * p.rows * p.out};
      });
    }
    add("bfloat16_linear/" + shape, [=] {
      const Tensor x = activations({p.rows, p.in});
      const Tensor weight = at::randn({p.out, p.in}).to(at::kBFloat16);
      const auto run = [=] { at::linear(x, weight); };
      return Work{run, 2 * (p.rows * p.in + p.out * p.in + p.rows * p.out)};
    });
  }
}

}  // namespace

int main(int argc, char** argv) {
  torch::manual_seed(0);
  add_quantize();
  add_norm_quantize();
  add_swiglu();
  add_correction();
  add_depthwise();
  add_products();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
