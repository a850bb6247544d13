// Computes what an export's INT8 model gives without its corrections, for
// tests/reference/check_export.py:
//   export_logits EXPORT IDS OUT
// IDS: a safetensors file with ids [B, T] int64. OUT gets ids, logits [B, T, V] and hidden [B, L +
// 1, T, H] (the embeddings and each layer's output), in float32. Each row of ids runs alone.

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "data/base/error.h"
#include "quant/execute/quantized_executor.h"
#include "quant/export/export.h"

namespace {

using namespace dualpath;

struct Result {
  at::Tensor logits, hidden;  // [1, T, V], [1, L + 1, T, H]
};

Result run_alone(const modules::Network& network, modules::Executor& executor,
                 const at::Tensor& ids) {
  modules::State state = modules::make_state(ids);
  std::vector<at::Tensor> hidden;
  for (const modules::Stage& stage : network.stages) {
    modules::run(stage, executor, state);
    hidden.push_back(state.hidden);
  }
  hidden.pop_back();  // the final norm's
  return {network.head.logits(executor, state.hidden), at::stack(hidden, /*dim=*/1)};
}

void write_logits(const std::filesystem::path& directory, const std::filesystem::path& ids_file,
                  const std::filesystem::path& out) {
  const c10::NoGradGuard no_grad;
  const modules::Model model = modules::open_model(directory);
  const quant::ExportedModel exported = quant::open_export(model);
  quant::QuantizedExecutor executor(model.weights, at::kFloat, exported.plan, exported.scales);
  const at::Tensor ids = modules::read_tensors(data::SafetensorsReader(ids_file)).at("ids");
  std::vector<at::Tensor> logits, hidden;
  for (std::int64_t row = 0; row < ids.size(0); ++row) {
    const Result result = run_alone(model.network, executor, ids.narrow(0, row, 1));
    logits.push_back(result.logits);
    hidden.push_back(result.hidden);
  }
  modules::write_tensors(out,
                         {{"ids", ids}, {"logits", at::cat(logits)}, {"hidden", at::cat(hidden)}});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: export_logits EXPORT IDS OUT\n");
    return dualpath::kUsage;
  }
  try {
    write_logits(argv[1], argv[2], argv[3]);
  } catch (const std::exception& error) {
    fmt::print(stderr, "export_logits: {}\n", error.what());
    return dualpath::kFailure;
  }
  return dualpath::kDone;
}
