#pragma once

#include <vector>

#include "modules/correction/corrections.h"
#include "modules/model/model.h"
#include "quant/execute/quantized_executor.h"
#include "quant/export/export.h"
#include "trainer/evaluate/row.h"
#include "trainer/experiment/experiment.h"
#include "trainer/experiment/trained_paths.h"

namespace dualpath::trainer {

/// The row of the model before anything is quantized.
Row float_row(const modules::Model& model, at::ScalarType dtype, modules::Executor& executor);

/// The rows that a run has so far, in the table's order. First come fp and quantized. If the plan
/// transforms weights, the transformed model's row (smoothed) follows. Both quantized rows are the
/// models before anything is trained (which may be scales and norms, too). The trained rows come
/// last; they have steps behind them. A run that quantizes nothing has fp and trained.
class RunRows {
 public:
  /// Both arguments must outlive the rows.
  RunRows(const Experiment& experiment, const TrainedPaths& paths);
  // Not copied, since the rows refer to the executors beside them.
  RunRows(const RunRows&) = delete;
  RunRows& operator=(const RunRows&) = delete;

  const std::vector<Row>& rows() const { return rows_; }

 private:
  quant::ActivationScales scales_, transformed_scales_;
  quant::QuantizedExecutor executor_, transformed_;
  std::vector<Row> rows_;
};

/// The rows of an export, whose float model is gone: quantized and corrected.
class ExportRows {
 public:
  /// Opens the export (see quant::open_export); the model must outlive it.
  ExportRows(const modules::Model& model, at::TensorOptions options, quant::Compute compute);
  ExportRows(const ExportRows&) = delete;
  ExportRows& operator=(const ExportRows&) = delete;

  const std::vector<Row>& rows() const { return rows_; }

 private:
  quant::ExportedModel exported_;
  quant::QuantizedExecutor executor_;
  modules::Corrected corrected_;
  std::vector<Row> rows_;
};

}  // namespace dualpath::trainer
