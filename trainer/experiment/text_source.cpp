#include "trainer/experiment/text_source.h"

#include "trainer/experiment/rows.h"
#include "trainer/experiment/run_directory.h"
#include "trainer/experiment/trained_paths.h"

namespace dualpath::trainer {
namespace {

class FloatSource : public TextSource {
 public:
  FloatSource(modules::Model model, at::TensorOptions options)
      : model_(std::move(model)),
        executor_(model_.weights, options),
        rows_{float_row(model_, executor_.compute_dtype(), executor_)} {}

  const modules::Model& model() const override { return model_; }
  const std::vector<Row>& rows() const override { return rows_; }

 private:
  modules::Model model_;
  modules::FloatExecutor executor_;
  std::vector<Row> rows_;
};

class ExportSource : public TextSource {
 public:
  ExportSource(modules::Model model, at::TensorOptions options, quant::Compute compute)
      : model_(std::move(model)), rows_(model_, options, compute) {}

  const modules::Model& model() const override { return model_; }
  const std::vector<Row>& rows() const override { return rows_.rows(); }

 private:
  modules::Model model_;
  ExportRows rows_;
};

class RunSource : public TextSource {
 public:
  RunSource(const Recipe& recipe, modules::Model model)
      : experiment_(open_experiment(recipe, std::move(model))),
        directory_(recipe, RunAccess::kRead),
        paths_(load_trained_paths(experiment_, directory_)),
        rows_(experiment_, paths_) {}

  const modules::Model& model() const override { return experiment_.model; }
  const std::vector<Row>& rows() const override { return rows_.rows(); }

 private:
  Experiment experiment_;
  RunDirectory directory_;
  TrainedPaths paths_;
  RunRows rows_;
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
    return std::make_unique<ExportSource>(std::move(model), recipe.model.tensor_options(),
                                          recipe.compute);
  }
  if (float_only)
    return std::make_unique<FloatSource>(std::move(model), recipe.model.tensor_options());
  return std::make_unique<RunSource>(recipe, std::move(model));
}

std::unique_ptr<TextSource> open_text_source(const std::filesystem::path& path, at::Device device) {
  use_threads(0);
  modules::Model model = modules::open_model(path);
  const at::TensorOptions options = at::dtype(dtype_of(model)).device(device);
  if (!model.is_quantized()) return std::make_unique<FloatSource>(std::move(model), options);
  return std::make_unique<ExportSource>(std::move(model), options, quant::Compute::kInteger);
}

}  // namespace dualpath::trainer
