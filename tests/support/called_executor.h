#pragma once

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "modules/network/forwarding_executor.h"
#include "modules/network/network.h"

namespace dualpath::testing {

/// Computes nothing; holds the names of the methods that were called, in their order.
class CalledExecutor : public modules::Executor {
 public:
  mutable std::vector<std::string> calls;

  at::ScalarType compute_dtype() const override {
    calls.push_back("compute_dtype");
    return at::kFloat;
  }
  at::Device device() const override {
    calls.push_back("device");
    return at::kCPU;
  }
  std::vector<at::Tensor> linear(const modules::LinearRefs&, const at::Tensor&) override {
    return called("linear"), std::vector<at::Tensor>();
  }
  std::vector<at::Tensor> norm_linear(const modules::NormRef&, const modules::LinearRefs&,
                                      const at::Tensor&) override {
    return called("norm_linear"), std::vector<at::Tensor>();
  }
  at::Tensor conv(const modules::ConvRef&, const at::Tensor&) override {
    return called("conv"), at::Tensor();
  }
  at::Tensor parameter(const modules::ParameterRef&) override {
    return called("parameter"), at::Tensor();
  }
  at::Tensor norm(const modules::NormRef&, const at::Tensor&) override {
    return called("norm"), at::Tensor();
  }
  at::Tensor embedding(const modules::EmbeddingRef&, const at::Tensor&) override {
    return called("embedding"), at::Tensor();
  }
  at::Tensor attention(const modules::AttentionRef&, const at::Tensor&, const at::Tensor&,
                       const at::Tensor&, const modules::AttentionContext&) override {
    return called("attention"), at::Tensor();
  }
  modules::RotationTable rotation_table(const modules::Rotation&, const at::Tensor&) override {
    return called("rotation_table"), modules::RotationTable();
  }
  at::Tensor rotate(const at::Tensor&, const modules::RotationTable&) override {
    return called("rotate"), at::Tensor();
  }
  at::Tensor add(const at::Tensor&, const at::Tensor&, double) override {
    return called("add"), at::Tensor();
  }
  at::Tensor scale(const at::Tensor&, double) override { return called("scale"), at::Tensor(); }
  at::Tensor multiply(const at::Tensor&, const at::Tensor&) override {
    return called("multiply"), at::Tensor();
  }
  at::Tensor matmul(const at::Tensor&, const at::Tensor&) override {
    return called("matmul"), at::Tensor();
  }
  at::Tensor activation(modules::Activation, const at::Tensor&) override {
    return called("activation"), at::Tensor();
  }
  at::Tensor gated(modules::Activation, const at::Tensor&, const at::Tensor&) override {
    return called("gated"), at::Tensor();
  }
  at::Tensor glu(const at::Tensor&) override { return called("glu"), at::Tensor(); }
  at::Tensor arrange(const modules::Arrangement&, const at::Tensor&) override {
    return called("arrange"), at::Tensor();
  }
  std::vector<at::Tensor> split(const at::Tensor&, const std::vector<std::int64_t>&) override {
    return called("split"), std::vector<at::Tensor>();
  }
  at::Tensor concatenate(const std::vector<at::Tensor>&, std::int64_t) override {
    return called("concatenate"), at::Tensor();
  }
  at::Tensor cast(const at::Tensor&) override { return called("cast"), at::Tensor(); }
  at::Tensor constant(const at::Tensor&) override { return called("constant"), at::Tensor(); }
  at::Tensor masked(const at::Tensor&, const at::Tensor&, std::int64_t) override {
    return called("masked"), at::Tensor();
  }
  at::Tensor conv_mask(const modules::ConvRef&, const at::Tensor&) override {
    return called("conv_mask"), at::Tensor();
  }
  at::Tensor resize(const modules::PositionResize&, const at::Tensor&) override {
    return called("resize"), at::Tensor();
  }
  at::Tensor interpolate(data::ImageGrid, const at::Tensor&, const at::Tensor&,
                         const at::Tensor&) override {
    return called("interpolate"), at::Tensor();
  }
  modules::FilledPlaceholders fill(const modules::Placeholder&,
                                   const modules::PlaceholderOperands&) override {
    return called("fill"), modules::FilledPlaceholders();
  }
  at::Tensor tap(const modules::SiteName&, const at::Tensor&) override {
    return called("tap"), at::Tensor();
  }
  void begin(const modules::Stage&, const modules::State&) override { called("begin"); }
  void end(const modules::Stage&, modules::State&) override { called("end"); }
  void release() override { called("release"); }

 private:
  void called(const char* method) { calls.emplace_back(method); }
};

/// Calls every method of an executor once. Returns their names, in order.
inline std::vector<std::string> call_every_method(modules::Executor& executor) {
  const at::Tensor x = at::zeros({1, 1, 2});
  modules::State state;
  state.hidden = x;
  const modules::Stage stage{"stage", /*correctable=*/true, nullptr};
  executor.begin(stage, state);
  executor.compute_dtype();
  executor.device();
  executor.linear({}, x);
  executor.norm_linear({}, {}, x);
  executor.conv({}, x);
  executor.parameter({});
  executor.norm({}, x);
  executor.embedding({}, x);
  executor.attention({}, x, x, x, {});
  executor.rotation_table({}, x);
  executor.rotate(x, {});
  executor.add(x, x);
  executor.scale(x, 1.0);
  executor.matmul(x, x);
  executor.activation(modules::Activation::kRelu, x);
  executor.gated(modules::Activation::kRelu, x, x);
  executor.glu(x);
  executor.arrange(modules::Flatten{}, x);
  executor.split(x, {});
  executor.concatenate({}, 0);
  executor.cast(x);
  executor.constant(x);
  executor.masked(x, x, 0);
  executor.conv_mask({}, x);
  executor.resize({}, x);
  executor.interpolate({}, x, x, x);
  executor.fill({modules::Modality::kImage, 0}, {});
  executor.tap({}, x);
  executor.end(stage, state);
  executor.release();
  return {"begin",          "compute_dtype", "device",   "linear",    "norm_linear",
          "conv",           "parameter",     "norm",     "embedding", "attention",
          "rotation_table", "rotate",        "add",      "scale",     "matmul",
          "activation",     "gated",         "glu",      "arrange",   "split",
          "concatenate",    "cast",          "constant", "masked",    "conv_mask",
          "resize",         "interpolate",   "fill",     "tap",       "end",
          "release"};
}

}  // namespace dualpath::testing
