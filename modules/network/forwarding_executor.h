#pragma once

#include <cstdint>
#include <vector>

#include "modules/network/executor.h"

namespace dualpath::modules {

/// Forwards everything to another executor, which must outlive it. A wrapper of an executor derives
/// from it and overrides only what differs.
class ForwardingExecutor : public Executor {
 public:
  explicit ForwardingExecutor(Executor& executor) : executor_(executor) {}

  at::ScalarType compute_dtype() const override { return executor_.compute_dtype(); }
  at::Device device() const override { return executor_.device(); }
  std::vector<at::Tensor> linear(const LinearRefs& refs, const at::Tensor& x) override {
    return executor_.linear(refs, x);
  }
  std::vector<at::Tensor> norm_linear(const NormRef& norm_ref, const LinearRefs& refs,
                                      const at::Tensor& x) override {
    return executor_.norm_linear(norm_ref, refs, x);
  }
  at::Tensor conv(const ConvRef& ref, const at::Tensor& x) override {
    return executor_.conv(ref, x);
  }
  at::Tensor parameter(const ParameterRef& ref) override { return executor_.parameter(ref); }
  at::Tensor norm(const NormRef& ref, const at::Tensor& x) override {
    return executor_.norm(ref, x);
  }
  at::Tensor embedding(const EmbeddingRef& ref, const at::Tensor& ids) override {
    return executor_.embedding(ref, ids);
  }
  at::Tensor attention(const AttentionRef& ref, const at::Tensor& q, const at::Tensor& k,
                       const at::Tensor& v, const AttentionContext& context) override {
    return executor_.attention(ref, q, k, v, context);
  }
  RotationTable rotation_table(const Rotation& rotation, const at::Tensor& positions) override {
    return executor_.rotation_table(rotation, positions);
  }
  at::Tensor rotate(const at::Tensor& x, const RotationTable& table) override {
    return executor_.rotate(x, table);
  }
  at::Tensor add(const at::Tensor& x, const at::Tensor& y, double times) override {
    return executor_.add(x, y, times);
  }
  at::Tensor scale(const at::Tensor& x, double factor) override {
    return executor_.scale(x, factor);
  }
  at::Tensor multiply(const at::Tensor& x, const at::Tensor& y) override {
    return executor_.multiply(x, y);
  }
  at::Tensor matmul(const at::Tensor& x, const at::Tensor& y) override {
    return executor_.matmul(x, y);
  }
  at::Tensor activation(Activation kind, const at::Tensor& x) override {
    return executor_.activation(kind, x);
  }
  at::Tensor gated(Activation kind, const at::Tensor& gate, const at::Tensor& up) override {
    return executor_.gated(kind, gate, up);
  }
  at::Tensor glu(const at::Tensor& x) override { return executor_.glu(x); }
  at::Tensor arrange(const Arrangement& arrangement, const at::Tensor& x) override {
    return executor_.arrange(arrangement, x);
  }
  std::vector<at::Tensor> split(const at::Tensor& x,
                                const std::vector<std::int64_t>& sizes) override {
    return executor_.split(x, sizes);
  }
  at::Tensor concatenate(const std::vector<at::Tensor>& parts, std::int64_t dim) override {
    return executor_.concatenate(parts, dim);
  }
  at::Tensor cast(const at::Tensor& x) override { return executor_.cast(x); }
  at::Tensor constant(const at::Tensor& value) override { return executor_.constant(value); }
  at::Tensor masked(const at::Tensor& x, const at::Tensor& mask, std::int64_t dim) override {
    return executor_.masked(x, mask, dim);
  }
  at::Tensor conv_mask(const ConvRef& ref, const at::Tensor& mask) override {
    return executor_.conv_mask(ref, mask);
  }
  at::Tensor resize(const PositionResize& how, const at::Tensor& positions) override {
    return executor_.resize(how, positions);
  }
  at::Tensor interpolate(data::ImageGrid own, const at::Tensor& positions, const at::Tensor& places,
                         const at::Tensor& grid) override {
    return executor_.interpolate(own, positions, places, grid);
  }
  FilledPlaceholders fill(const Placeholder& placeholder,
                          const PlaceholderOperands& operands) override {
    return executor_.fill(placeholder, operands);
  }
  at::Tensor tap(const SiteName& site, const at::Tensor& x) override {
    return executor_.tap(site, x);
  }
  void begin(const Stage& stage, const State& state) override { executor_.begin(stage, state); }
  void end(const Stage& stage, State& state) override { executor_.end(stage, state); }
  void release() override { executor_.release(); }

 protected:
  Executor& executor() { return executor_; }

 private:
  Executor& executor_;
};

}  // namespace dualpath::modules
