#include "data/media/resampler.h"

#include <soxr.h>

#include <array>

#include "data/base/error.h"

namespace dualpath::data {
namespace {

constexpr std::size_t kBlock = 4096;  // samples out at a time

void check(soxr_error_t error) {
  if (error != nullptr) throw Error("resampling audio: {}", error);
}

}  // namespace

Resampler::Resampler(int from, int to) : soxr_(nullptr, soxr_delete) {
  if (from == to) return;
  const soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
  const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
  const soxr_runtime_spec_t runtime = soxr_runtime_spec(/*num_threads=*/1);
  soxr_error_t error = nullptr;
  soxr_.reset(soxr_create(from, to, /*num_channels=*/1, &error, &io, &quality, &runtime));
  check(error);
}

std::size_t Resampler::process(const float* in, std::size_t count, std::vector<float>& out) {
  std::array<float, kBlock> block;
  std::size_t taken = 0, made = 0;
  check(soxr_process(soxr_.get(), in, count, &taken, block.data(), block.size(), &made));
  out.insert(out.end(), block.begin(), block.begin() + made);
  return taken;
}

void Resampler::push(std::span<const float> block, std::vector<float>& out) {
  if (!soxr_) {
    out.insert(out.end(), block.begin(), block.end());
    return;
  }
  while (!block.empty()) block = block.subspan(process(block.data(), block.size(), out));
}

void Resampler::finish(std::vector<float>& out) {
  if (!soxr_) return;
  for (std::size_t before = out.size() + 1; before != out.size();) {
    before = out.size();
    process(nullptr, 0, out);
  }
}

}  // namespace dualpath::data
