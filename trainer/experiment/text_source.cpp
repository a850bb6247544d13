#include "trainer/experiment/text_source.h"

#include "data/base/error.h"
#include "quant/export/export.h"
#include "trainer/experiment/run_directory.h"
#include "trainer/experiment/trained_paths.h"
#include "trainer/experiment/untrained_rows.h"

namespace dualpath::trainer {
namespace {

class FloatSource : public TextSource {
 public:
  FloatSource(modules::Model model, at::ScalarType dtype)
      : model_(std::move(model)), executor_(model_.weights, dtype) {}

  const modules::Model& model() const override { return model_; }
  std::vector<EvaluatedRow> rows() override { return {{kFp, &executor_}}; }

 private:
  modules::Model model_;
  modules::FloatExecutor executor_;
};

class ExportSource : public TextSource {
 public:
  ExportSource(modules::Model model, at::ScalarType dtype, quant::Compute compute)
      : model_(std::move(model)),
        exported_(quant::open_export(model_)),
        executor_(model_.weights, dtype, exported_.plan, exported_.scales, compute),
        corrected_(executor_, exported_.corrections) {}

  const modules::Model& model() const override { return model_; }
  std::vector<EvaluatedRow> rows() override {
    return {{kQuantized, &executor_}, {kCorrected, &corrected_}};
  }

 private:
  modules::Model model_;
  quant::ExportedModel exported_;
  quant::QuantizedExecutor executor_;
  modules::Corrected corrected_;
};

class RunSource : public TextSource {
 public:
  RunSource(const Recipe& recipe, modules::Model model)
      : experiment_(open_experiment(recipe, std::move(model))),
        directory_(recipe, RunAccess::kRead),
        paths_(load_trained_paths(experiment_, directory_)),
        untrained_(experiment_, paths_.calibration, paths_.control->executor) {}

  const modules::Model& model() const override { return experiment_.model; }
  std::vector<EvaluatedRow> rows() override {
    std::vector<EvaluatedRow> rows{{kFp, &paths_.control->executor}};
    for (const EvaluatedRow& row : untrained_.rows()) rows.push_back(row);
    if (paths_.steps > 0)
      rows.push_back({corrected_row(experiment_.plan), &paths_.quantized->corrected});
    if (paths_.control_steps > 0) rows.push_back({kControl, &paths_.control->corrected});
    return rows;
  }

 private:
  Experiment experiment_;
  RunDirectory directory_;
  TrainedPaths paths_;
  UntrainedRows untrained_;
};

at::ScalarType dtype_of(const modules::Model& model) {
  for (const char* key : {"dtype", "torch_dtype"}) {
    const auto found = model.config_json.find(key);
    if (found == model.config_json.end() || !found->is_string()) continue;
    for (const auto& [name, dtype] : modules::kComputeDtypes)
      if (*found == name) return dtype;
  }
  return modules::ModelOptions{}.dtype;
}

}  // namespace

std::unique_ptr<TextSource> open_text_source(const Recipe& recipe, bool float_only) {
  use_threads(recipe.num_threads);
  modules::Model model = modules::open_model(recipe.model.path);
  if (model.is_quantized()) {
    check_export_dtype(recipe, model);
    return std::make_unique<ExportSource>(std::move(model), recipe.model.dtype, recipe.compute);
  }
  if (float_only) return std::make_unique<FloatSource>(std::move(model), recipe.model.dtype);
  return std::make_unique<RunSource>(recipe, std::move(model));
}

std::unique_ptr<TextSource> open_text_source(const std::filesystem::path& path) {
  use_threads(0);
  modules::Model model = modules::open_model(path);
  const at::ScalarType dtype = dtype_of(model);
  if (!model.is_quantized()) return std::make_unique<FloatSource>(std::move(model), dtype);
  return std::make_unique<ExportSource>(std::move(model), dtype, quant::Compute::kInteger);
}

}  // namespace dualpath::trainer
