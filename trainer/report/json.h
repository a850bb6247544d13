#pragma once

#include <nlohmann/json_fwd.hpp>

#include "quant/calibrate/calibration.h"
#include "trainer/predict/plan_report.h"
#include "trainer/predict/prediction.h"
#include "trainer/report/results.h"
#include "trainer/report/table_json.h"

namespace dualpath::trainer {

/// Writes results as --json prints them and report.json holds them: one function a type. The
/// table's function stands in table_json.h.

/// Writes {"sites": {group: {"min", "max", "count", "scale"}}, "smoothing": {group: strength or
/// null}}. Modalities with scales of their own stand in "modalities". The scales are the
/// calibration's own.
nlohmann::json to_json(const quant::Calibration& calibration);
nlohmann::json to_json(const CalibrationWork& work);
/// Writes counts by modality: {"text": 8, "image": 24}.
nlohmann::json counts_json(const std::map<modules::Modality, std::size_t>& counts);
nlohmann::json to_json(const LoopResult& result);
nlohmann::json to_json(const TrainingResult& result);
nlohmann::json to_json(const SqnrResult& result);
nlohmann::json to_json(const ExportResult& result);
nlohmann::json to_json(const Prediction& prediction);
nlohmann::json to_json(const PlanReport& report);

/// Reads back a loop's result that to_json wrote after its last step.
LoopResult read_loop_result(const nlohmann::json& object);

}  // namespace dualpath::trainer
