#include "trainer/report/table_json.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "trainer/evaluate/row_names.h"

namespace dualpath::trainer {
namespace {

using nlohmann::json;

json number_or_null(const std::optional<double>& value) { return value ? json(*value) : json(); }

std::optional<double> number_if(const json& value) {
  return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

/// Reads a number; JSON has null for infinities and NaN.
double number_or_nan(const json& value) {
  return number_if(value).value_or(std::numeric_limits<double>::quiet_NaN());
}

json estimate_json(const std::optional<Estimate>& estimate) {
  if (!estimate) return nullptr;
  return {{"value", estimate->value}, {"low", estimate->low}, {"high", estimate->high}};
}

std::optional<Estimate> estimate_in(const json& recovery, const char* measure) {
  const json estimate = recovery.value(measure, json());
  if (!estimate.is_object()) return std::nullopt;
  return Estimate{estimate.at("value").get<double>(), estimate.at("low").get<double>(),
                  estimate.at("high").get<double>()};
}

json recovery_json(const Recovery& recovery) {
  return {{"accuracy", estimate_json(recovery.accuracy)},
          {"kl", estimate_json(recovery.kl)},
          {"nll", estimate_json(recovery.nll)}};
}

json row_json(const RowFigures& row) {
  return {{"perplexity", row.perplexity}, {"accuracy", row.accuracy},
          {"kl", number_or_null(row.kl)}, {"agreement", number_or_null(row.agreement)},
          {"bytes", row.bytes},           {"tokens", row.tokens}};
}

RowFigures row_in(const std::string& name, const json& set) {
  const json& row = set.at(name);
  RowFigures figures{.name = name,
                     .perplexity = number_or_nan(row.at("perplexity")),
                     .accuracy = number_or_nan(row.at("accuracy")),
                     .kl = number_if(row.at("kl")),
                     .agreement = number_if(row.at("agreement")),
                     .bytes = row.at("bytes").get<std::int64_t>(),
                     .tokens = row.at("tokens").get<std::int64_t>()};
  const json recovered = set.value("recovery", json::object());
  if (const auto own = recovered.find(name); own != recovered.end())
    figures.recovery = {estimate_in(*own, "accuracy"), estimate_in(*own, "kl"),
                        estimate_in(*own, "nll")};
  return figures;
}

json set_json(const SetFigures& figures) {
  json set = json::object();
  for (const RowFigures& row : figures.rows) {
    set[row.name] = row_json(row);
    if (row.recovery) set["recovery"][row.name] = recovery_json(*row.recovery);
  }
  return set;
}

}  // namespace

json to_json(const EvaluationTable& table) {
  json sets = json::object();
  for (const SetFigures& set : table.sets) sets[set.name] = set_json(set);
  json result{{"sets", sets},           {"window", table.window},
              {"stride", table.window}, {"first_token", kFirstToken},
              {"dtype", table.dtype},   {"seconds", table.seconds}};
  if (table.fingerprint) {
    result["steps"] = table.steps;
    result["fingerprint"] = *table.fingerprint;
  }
  return result;
}

SetFigures read_set(const std::string& name, const json& set) {
  SetFigures figures{name, {}};
  for (const char* row : kRows) {
    if (set.contains(row)) figures.rows.push_back(row_in(row, set));
  }
  return figures;
}

}  // namespace dualpath::trainer
