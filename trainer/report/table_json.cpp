#include "trainer/report/table_json.h"

#include <nlohmann/json.hpp>

#include "trainer/evaluate/row_names.h"

namespace dualpath::trainer {
namespace {

using nlohmann::json;

constexpr const char *kRecovery = "recovery", *kIntervals = "intervals", *kChanged = "changed";

/// The modalities in the order in which they are shown.
constexpr const char* kModalities[] = {"text", "image", "audio", "image and audio"};

json estimate_json(const std::optional<Estimate>& estimate) {
  if (!estimate) return nullptr;
  return {{"value", estimate->value}, {"low", estimate->low}, {"high", estimate->high}};
}

std::optional<Estimate> estimate_in(const json& estimate) {
  if (!estimate.is_object()) return std::nullopt;
  return Estimate{estimate.at("value").get<double>(), estimate.at("low").get<double>(),
                  estimate.at("high").get<double>()};
}

json recovery_json(const Recovery& recovery) {
  json object = json::object();
  for (const auto& [metric, estimate] : recovery) object[metric] = estimate_json(estimate);
  return object;
}

json intervals_json(const RowFigures& row) {
  json object = json::object();
  for (const auto& [metric, interval] : row.intervals)
    object[metric] = {{"low", interval.low}, {"high", interval.high}};
  return object;
}

json row_json(const RowFigures& row) {
  json object{{"bytes", row.bytes}, {"tokens", row.tokens}};
  for (const Metric& metric : kMetrics) {
    const auto found = row.figures.find(metric.name);
    if (!metric.is_shown) continue;
    if (found != row.figures.end()) {
      object[metric.name] = found->second;
    } else if (is_of_tokens(metric)) {
      object[metric.name] = nullptr;
    }
  }
  return object;
}

RowFigures row_in(const std::string& name, const json& set) {
  const json& row = set.at(name);
  RowFigures figures{.name = name,
                     .bytes = row.at("bytes").get<std::int64_t>(),
                     .tokens = row.at("tokens").get<std::int64_t>()};
  for (const Metric& metric : kMetrics) {
    // JSON has null for infinities and NaN.
    if (const json value = row.value(metric.name, json()); value.is_number())
      figures.figures[metric.name] = value.get<double>();
  }
  if (const auto recovered = set.find(kRecovery);
      recovered != set.end() && recovered->contains(name)) {
    figures.recovery.emplace();
    for (const auto& [metric, estimate] : recovered->at(name).items())
      (*figures.recovery)[metric] = estimate_in(estimate);
  }
  return figures;
}

json changed_json(const std::vector<ChangedSample>& changed) {
  json list = json::array();
  for (const ChangedSample& sample : changed) {
    list.push_back({{"reference", sample.reference},
                    {"answers", sample.answers},
                    {"images", sample.images},
                    {"audio", sample.audio}});
  }
  return list;
}

std::vector<ChangedSample> changed_in(const json& set) {
  std::vector<ChangedSample> changed;
  for (const json& sample : set.value(kChanged, json::array())) {
    changed.push_back({sample.at("reference"), sample.at("answers"),
                       sample.at("images").get<std::vector<std::string>>(),
                       sample.at("audio").get<std::vector<std::string>>()});
  }
  return changed;
}

json set_json(const SetFigures& figures) {
  json set = json::object();
  for (const RowFigures& row : figures.rows) {
    set[row.name] = row_json(row);
    if (row.recovery) set[kRecovery][row.name] = recovery_json(*row.recovery);
    if (!row.intervals.empty()) set[kIntervals][row.name] = intervals_json(row);
  }
  if (!figures.changed.empty()) set[kChanged] = changed_json(figures.changed);
  return set;
}

SetFigures set_in(const std::string& name, const std::string& modality, const json& set) {
  SetFigures figures{.name = name, .modality = modality, .changed = changed_in(set)};
  for (const char* row : kRows) {
    if (set.contains(row)) figures.rows.push_back(row_in(row, set));
  }
  return figures;
}

}  // namespace

json to_json(const EvaluationTable& table) {
  json sets = json::object();
  for (const SetFigures& set : table.sets) {
    json& place = sets[set.name];
    (set.modality.empty() ? place : place[set.modality]) = set_json(set);
  }
  json result{{"sets", sets},           {"window", table.window},
              {"stride", table.window}, {"first_token", kFirstToken},
              {"dtype", table.dtype},   {"seconds", table.seconds}};
  if (table.fingerprint) {
    result["steps"] = table.steps;
    result["fingerprint"] = *table.fingerprint;
  }
  return result;
}

std::vector<SetFigures> read_sets(const json& sets) {
  std::vector<SetFigures> figures;
  for (const auto& [name, set] : sets.items()) {
    bool has_modalities = false;
    for (const char* modality : kModalities) {
      if (!set.contains(modality)) continue;
      figures.push_back(set_in(name, modality, set.at(modality)));
      has_modalities = true;
    }
    if (!has_modalities) figures.push_back(set_in(name, "", set));
  }
  return figures;
}

}  // namespace dualpath::trainer
