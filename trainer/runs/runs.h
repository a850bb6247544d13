#pragma once

#include <cstdint>

#include "trainer/evaluate/table.h"
#include "trainer/experiment/experiment.h"
#include "trainer/experiment/run_directory.h"
#include "trainer/report/results.h"

namespace dualpath::trainer {

/// The commands' work, each a function of a recipe. Progress goes to stderr, results are returned
/// and, as trainer/report/json.h spells them, put into the run's report.json.

/// Checks, before anything is written, that what the directory holds was made from the same model,
/// plan and texts, and keeps the recipe there.
quant::CalibrationSource begin_run(const Experiment& experiment, const Texts& texts,
                                   const RunDirectory& directory);

/// Runs the observers and writes the calibration; what is there already for the same model, plan
/// and text is taken. source: of begin_run().
quant::Calibration run_calibration(const Experiment& experiment, const Texts& texts,
                                   const quant::CalibrationSource& source,
                                   const RunDirectory& directory);
/// Both in one.
quant::Calibration run_calibration(const Experiment& experiment, const Texts& texts,
                                   const RunDirectory& directory);

/// Calibrates where needed, trains the quantized path, reports the corrections that do not help
/// (with train.drop_corrections drops them), trains the control. Each part goes on from where an
/// earlier run stopped.
TrainingResult run_training(const Experiment& experiment, const Texts& texts,
                            const RunDirectory& directory);

/// How well each planned linear's output survives quantization, on some windows of the selection
/// text: into the report's section "sqnr" and, at this step, TensorBoard's curves "quant".
SqnrResult run_sqnr(const Experiment& experiment, const Texts& texts, QuantizedPath& path,
                    std::int64_t step, const RunDirectory& directory);

/// report.html: what the run's directory holds, for people.
void write_html_report(const RunDirectory& directory);

/// The table of a run's rows (see RunRows). Also measures the SQNR and writes report.html, unless
/// the directory cannot be written.
EvaluationTable run_evaluation(const Experiment& experiment, const Texts& texts,
                               const RunDirectory& directory);

/// The table of an export (see ExportRows), without KL and agreement.
EvaluationTable run_export_evaluation(const Recipe& recipe, const modules::Model& model);

/// Writes the deployable directory to recipe.export.output_dir, which must be given.
ExportResult run_export(const Experiment& experiment, const Texts& texts,
                        const RunDirectory& directory);

}  // namespace dualpath::trainer
