#pragma once

#include <cstdint>

#include "trainer/evaluate/table.h"
#include "trainer/experiment/experiment.h"
#include "trainer/experiment/run_directory.h"
#include "trainer/report/results.h"

namespace dualpath::trainer {

/// Functions that do the commands' work, each on a recipe. Progress goes to stderr. Results are
/// returned and put into the run's report.json, as trainer/report/json.h spells them. Calibration,
/// training and evaluation are collective: all processes of the experiment call them. The first has
/// the run's directory; the others return what they know.

/// Checks that the directory's files were made from the same model, plan and texts, before anything
/// is written. Then keeps the recipe there.
quant::CalibrationSource begin_run(const Experiment& experiment, const Texts& texts,
                                   const RunDirectory& directory);

/// Runs the observers and writes the calibration. A calibration that exists already for the same
/// model, plan and text is taken. source: of begin_run().
quant::Calibration run_calibration(const Experiment& experiment, const Texts& texts,
                                   const quant::CalibrationSource& source,
                                   const RunDirectory& directory);
/// Begins the run and calibrates.
quant::Calibration run_calibration(const Experiment& experiment, const Texts& texts,
                                   const RunDirectory& directory);

/// Calibrates if needed, trains the quantized path, measures the corrections and trains the
/// control. Corrections that do not help are reported; with train.drop_corrections they are
/// dropped. Each part goes on from where an earlier run stopped.
TrainingResult run_training(const Experiment& experiment, const Texts& texts,
                            const RunDirectory& directory);

/// Measures how well each planned linear's output survives quantization, on some windows of the
/// selection text. Writes the report's section "sqnr" and, at this step, TensorBoard's curves
/// "quant".
SqnrResult run_sqnr(const Experiment& experiment, const Texts& texts, QuantizedPath& path,
                    std::int64_t step, const RunDirectory& directory);

/// Writes report.html: the results in the run's directory, for people.
void write_html_report(const RunDirectory& directory);

/// Makes the table of a run's rows (see RunRows). Also measures the SQNR and writes report.html,
/// unless the directory cannot be written.
EvaluationTable run_evaluation(const Experiment& experiment, const Texts& texts,
                               const RunDirectory& directory);

/// Makes the table of a run's parts, each quantized alone (see PartRows), and puts it into the
/// report as "evaluation_by_part". Needs the run's calibration, and no training.
EvaluationTable run_part_evaluation(const Experiment& experiment, const Texts& texts,
                                    const RunDirectory& directory);

/// Makes the table of an export (see ExportRows), without KL and agreement.
EvaluationTable run_export_evaluation(const Recipe& recipe, const modules::Model& model,
                                      Processes& processes = Processes::alone());

/// Writes the deployable directory to recipe.export.output_dir, which must be given.
ExportResult run_export(const Experiment& experiment, const Texts& texts,
                        const RunDirectory& directory);

}  // namespace dualpath::trainer
