#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "data/base/error.h"
#include "data/files/checksum.h"
#include "data/formats/json.h"
#include "quant/export/export.h"
#include "quant/export/quantization_config.h"
#include "quant/plan/planner.h"
#include "quant/stored/layout.h"

namespace dualpath::quant {
namespace {

namespace fs = std::filesystem;
using data::JsonObject;

template <class Value, std::size_t N>
Value one_of(const JsonObject& object, const char* key, const Named<Value> (&choices)[N]) {
  const std::string got = object.string(key);
  for (const auto& [name, value] : choices) {
    if (got == name) return value;
  }
  throw Error("{}: {}: \"{}\" is not supported", object.where(), key, got);
}

/// Checks the sums that dualpath.json lists. description: that file's content.
void verify_checksums(const fs::path& directory, const JsonObject& description) {
  const JsonObject sums = description.object("sha256");
  for (const std::string& name : sums.keys()) {
    verify_sha256(directory / name, sums.string(name), "dualpath.json");
  }
}

/// Reads the stages. Before encoders had corrections, too, the stages were names, and one width was
/// all of theirs.
std::vector<modules::CorrectableStage> read_stages(const JsonObject& description) {
  std::vector<modules::CorrectableStage> stages;
  if (description.contains("hidden_size")) {
    const std::int64_t width = description.integer("hidden_size", data::kPositive);
    for (const std::string& name : description.strings("stages")) stages.push_back({name, width});
    return stages;
  }
  for (const JsonObject& stage : description.objects("stages"))
    stages.push_back({stage.string("name"), stage.integer("hidden_size", data::kPositive)});
  return stages;
}

modules::Corrections read_corrections(const fs::path& directory, at::Device device) {
  const JsonObject description = JsonObject::read(directory / "correction.json");
  const modules::CorrectionOptions options{
      .reduction = description.integer("reduction", data::kPositive),
      .input = one_of(description, "input", modules::kCorrectionInputs),
      .beta = one_of(description, "beta", modules::kCorrectionBetas),
      .ignore = {}};
  modules::Corrections corrections(read_stages(description), options, /*seed=*/0, device);
  const fs::path file = directory / "correction.safetensors";
  corrections.load(modules::read_tensors(data::SafetensorsReader(file)), file.string());
  return corrections;
}

void read_scales(const modules::WeightStore& weights, const PlannedAttention& attention,
                 modules::NamedTensors& scales) {
  for (const modules::Operand operand : attention.operands()) {
    const std::vector<std::string> heads = attention.head_groups(operand);
    const std::string name = stored_name::scale(attention, operand);
    const at::Tensor stored = weights.get(name);
    const auto count = static_cast<std::int64_t>(heads.size());
    if (stored.numel() != count)
      throw Error("{}: expected {} scales, got {}", name, count, stored.numel());
    for (std::int64_t head = 0; head < count; ++head)
      scales[heads[static_cast<std::size_t>(head)]] = stored.flatten().narrow(0, head, 1);
  }
}

void read_modality_scales(const JsonObject& groups, const Plan& plan,
                          modules::NamedTensors& scales) {
  using Limits = std::numeric_limits<float>;
  constexpr data::NumberRange kScale{.low = Limits::min(), .high = Limits::max()};
  for (const TensorGroup& group : plan.groups) {
    if (group.separate.empty()) continue;
    const JsonObject each = groups.object(group.name);
    for (const modules::Modality modality : group.separate) {
      const double scale = each.number(std::string(modules::name_of(modality)), kScale);
      scales[group.scale_name(modality)] = at::full({1}, scale, at::kFloat);
    }
  }
}

}  // namespace

ExportedModel open_export(const modules::Model& model, at::Device device) {
  const JsonObject description = JsonObject::read(model.path / "dualpath.json");
  verify_checksums(model.path, description);
  const JsonObject config =
      JsonObject::read(model.path / "config.json").object("quantization_config");
  QuantizeOptions options = read_quantization_config(config);
  const auto by_modality = description.object_if("modality_scales");
  if (by_modality) options.modality_scales = ModalityScales::kSeparate;
  Plan plan = make_plan(model.structure, options);
  modules::NamedTensors scales;
  for (const PlannedLinear& linear : plan.linears) {
    if (plan.has_input_scale(linear))
      scales[linear.group] = model.weights->get(linear.ref.name + stored_name::kInputScale);
  }
  for (const PlannedConv& conv : plan.convs)
    scales[conv.group] = model.weights->get(conv.ref.name + stored_name::kInputScale);
  if (by_modality) read_modality_scales(*by_modality, plan, scales);
  for (const PlannedAttention& attention : plan.attentions)
    read_scales(*model.weights, attention, scales);
  return {std::move(plan), ActivationScales(scales, device), read_corrections(model.path, device)};
}

}  // namespace dualpath::quant
