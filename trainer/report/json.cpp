#include "trainer/report/json.h"

#include <nlohmann/json.hpp>

#include "quant/args_text.h"
#include "quant/stored/layout.h"

namespace dualpath::trainer {
namespace {

using nlohmann::json;

template <class T>
json optional_json(const std::optional<T>& value) {
  return value ? json(*value) : json();
}

json range_json(const quant::ObservedRange& range) {
  return {{"min", range.min}, {"max", range.max}, {"count", range.count}};
}

/// The range, and the scale of that name if the calibration has one.
json site_json(const quant::Calibration& calibration, const std::string& name,
               const quant::ObservedRange& range) {
  json site = range_json(range);
  const auto scale = calibration.scale_tensors.find(name);
  if (scale != calibration.scale_tensors.end()) site["scale"] = scale->second.item<float>();
  return site;
}

/// The ranges by modality; empty if all rows stand for one alone.
json modalities_json(const quant::Calibration& calibration, const std::string& group) {
  const quant::ModalityRanges& ranges = calibration.modality_ranges.at(group);
  json modalities = json::object();
  if (ranges.size() < 2) return modalities;
  for (const auto& [modality, range] : ranges) {
    const std::string name(modules::name_of(modality));
    modalities[name] = site_json(calibration, group + "." + name, range);
  }
  return modalities;
}

/// Writes shares by modality: {"text": 0.001, "image": 0.02}.
json shares_json(const quant::SaturatedShares& shares) {
  json by_modality = json::object();
  for (const auto& [modality, share] : shares)
    by_modality[std::string(modules::name_of(modality))] = share;
  return by_modality;
}

json selection_json(const std::vector<quant::SelectedStage>& selection) {
  json dropped = json::array(), closer = json::array();
  for (const quant::SelectedStage& stage : selection) {
    if (!stage.kept) dropped.push_back(stage.stage);
    if (stage.after < stage.before) closer.push_back(stage.stage);
  }
  return {{"stages", selection.size()}, {"dropped", dropped}, {"closer", closer}};
}

json linears_json(const quant::Plan& plan) {
  json linears = json::array();
  for (const quant::PlannedLinear& linear : plan.linears) {
    linears.push_back({{"linear", linear.ref.name},
                       {"stage", linear.stage},
                       {"group", linear.group},
                       {"out_features", linear.ref.out_features},
                       {"in_features", linear.ref.in_features},
                       {"weights", quant::summary(linear.weights, quant::ArgsRole::kWeights)},
                       {"input_activations", input_text(linear.input_activations)}});
  }
  return linears;
}

json attentions_json(const quant::Plan& plan) {
  json attentions = json::array();
  for (const quant::PlannedAttention& attention : plan.attentions) {
    attentions.push_back({{"attention", attention.ref.name},
                          {"operands", operand_names(attention)},
                          {"integer_products", attention.products},
                          {"scheme", quant::summary(attention.args, quant::ArgsRole::kOperands)}});
  }
  return attentions;
}

json smoothed_json(const quant::Plan& plan) {
  json groups = json::array();
  for (const quant::PlannedFold& planned : plan.folds) groups.push_back(planned.group);
  return groups;
}

json stages_json(const quant::Plan& plan) {
  json stages = json::array();
  for (const auto& [name, width] : plan.stages)
    stages.push_back({{"name", name}, {"hidden_size", width}});
  return stages;
}

/// Bytes by scheme; null is the scheme of all that stays in float.
json schemes_json(const Prediction& prediction) {
  json schemes = json::array();
  for (const auto& [name, bytes] : bytes_by_scheme(prediction))
    schemes.push_back({{"scheme", name.empty() ? json() : json(name)}, {"bytes", bytes}});
  return schemes;
}

}  // namespace

json to_json(const quant::Calibration& calibration) {
  json sites = json::object();
  for (const auto& [group, range] : calibration.ranges) {
    sites[group] = site_json(calibration, group, range);
    const json modalities = modalities_json(calibration, group);
    if (!modalities.empty()) sites[group]["modalities"] = modalities;
  }
  json result{{"sites", sites}};
  for (const auto& [group, factors] : calibration.smoothing().factors) {
    const auto strength = calibration.smoothing().strengths.find(group);
    result["smoothing"][group] =
        strength == calibration.smoothing().strengths.end() ? json() : json(strength->second);
  }
  return result;
}

json counts_json(const std::map<modules::Modality, std::size_t>& counts) {
  json by_modality = json::object();
  for (const auto& [modality, count] : counts)
    by_modality[std::string(modules::name_of(modality))] = count;
  return by_modality;
}

json to_json(const CalibrationWork& work) {
  return {{"windows", work.windows},
          {"samples", counts_json(work.samples)},
          {"sites", work.sites},
          {"seconds", work.seconds}};
}

json to_json(const LoopResult& result) {
  return {{"steps", result.steps},
          {"resumed_from", result.resumed},
          {"seconds", result.seconds},
          {"loss", optional_json(result.last.loss)},
          {"kl", optional_json(result.last.kl)},
          {"ce", optional_json(result.last.ce)},
          {"hidden", optional_json(result.last.hidden)}};
}

json to_json(const TrainingResult& result) {
  json object{{"strategy", name_in(kStrategies, result.strategy)},
              {"train", to_json(result.train)},
              {"selection", selection_json(result.selection)},
              {"parameters", result.parameters},
              {"correction_bytes", result.correction_bytes},
              {"peak_resident_bytes", result.peak_resident_bytes}};
  if (result.peak_device_bytes) object["peak_device_bytes"] = *result.peak_device_bytes;
  for (const auto& [name, train] : result.blocks) {
    object["blocks"].push_back(to_json(train));
    object["blocks"].back()["name"] = name;
  }
  if (result.control) object["control"] = to_json(*result.control);
  if (result.ctc)
    object["ctc"] = {{"clips", result.ctc->clips},
                     {"left_out", result.ctc->left_out},
                     {"characters", result.ctc->characters},
                     {"character_error_rate", result.ctc->rate()}};
  return object;
}

json to_json(const SqnrResult& result) {
  json linears = json::array();
  for (const quant::OutputSqnr& linear : result.linears) {
    linears.push_back({{"linear", linear.linear},
                       {"stage", linear.stage},
                       {"sqnr_db", linear.decibels},
                       {"saturated", shares_json(linear.saturated)}});
  }
  return {{"windows", result.windows}, {"linears", linears}};
}

json to_json(const ExportResult& result) {
  return {{"path", result.path.string()},
          {"weight_bytes", result.weight_bytes},
          {"correction_bytes", result.correction_bytes},
          {"seconds", result.seconds}};
}

json to_json(const Prediction& prediction) {
  json seconds;  // null unless predicted
  if (prediction.seconds) {
    seconds = {{"calibrate", prediction.seconds->calibrate},
               {"train", prediction.seconds->train},
               {"control", prediction.seconds->control},
               {"evaluate", prediction.seconds->evaluate}};
  }
  const std::optional<std::int64_t>& peak = prediction.peak_resident_bytes;
  json object{{"export_bytes", quant::total_bytes(prediction.exported)},
              {"peak_resident_bytes", peak ? json(*peak) : json()},
              {"saved_for_backward",
               {{"bytes_per_token_and_layer", prediction.saved.kept},
                {"with_gradient_checkpointing", prediction.saved.checkpointed}}},
              {"seconds", seconds}};
  if (prediction.saved_by_towers.kept > 0.0)
    object["saved_for_backward"]["towers"] = {
        {"bytes_per_step", prediction.saved_by_towers.kept},
        {"with_gradient_checkpointing", prediction.saved_by_towers.checkpointed}};
  if (prediction.peak_device_bytes) object["peak_device_bytes"] = *prediction.peak_device_bytes;
  return object;
}

json to_json(const PlanReport& report) {
  const quant::Plan& plan = report.plan;
  const Prediction& prediction = report.prediction;
  return {{"sites", linears_json(plan)},
          {"groups", plan.groups.size()},
          {"attentions", attentions_json(plan)},
          {"cache_bytes_per_token",
           {{"fp", report.cache_bytes.fp}, {"quantized", report.cache_bytes.quantized}}},
          {"ignored", plan.ignored},
          {"smoothed", smoothed_json(plan)},
          {"corrected_stages", stages_json(plan)},
          {"fingerprint", plan.fingerprint()},
          {"hidden_size", report.hidden_size},
          {"parameters",
           {{"model", report.parameters}, {"corrections", prediction.correction_parameters}}},
          {"strategy", name_in(kStrategies, report.strategy.strategy)},
          {"predicted",
           {{"peak_memory_bytes", optional_json(prediction.peak_memory_bytes())},
            {"memory_limit", report.strategy.limit},
            {"end_to_end_bytes", report.strategy.end_to_end},
            {"blockwise_bytes", optional_json(report.strategy.blockwise)}}},
          {"prediction", to_json(prediction)},
          {"bytes",
           {{"fp", report.fp_bytes},
            {"quantized", quant::total_bytes(prediction.exported)},
            {"by_scheme", schemes_json(prediction)}}},
          {"from_config_alone", report.config ? json(report.config->string()) : json()}};
}

LoopResult read_loop_result(const json& object) {
  const auto steps = object.at("steps").get<std::int64_t>();
  return {.steps = steps,
          .resumed = object.at("resumed_from").get<std::int64_t>(),
          .seconds = object.at("seconds").get<double>(),
          .last = read_losses(object, steps)};
}

}  // namespace dualpath::trainer
