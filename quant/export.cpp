#include "quant/export.h"

#include <torch/torch.h>

#include <algorithm>
#include <set>

#include "data/base/atomic_directory.h"
#include "data/base/atomic_file.h"
#include "data/base/checksum.h"
#include "data/base/error.h"
#include "data/base/file.h"
#include "data/formats/safetensors_writer.h"
#include "quant/stored_weight.h"

namespace dualpath::quant {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// A dynamic scheme carries no scales, so who runs it finds them by a formula of its own. Ours is
/// absmax / 127, as in vLLM's kernels; compressed-tensors itself (0.20) divides by 127.5 and lets
/// the largest positive value saturate.
json to_json(const QuantArgs& args) {
  json result{{"num_bits", args.num_bits},
              {"type", "int"},
              {"symmetric", args.symmetric},
              {"strategy", name_of(args.strategy)},
              {"dynamic", args.dynamic}};
  if (args.group_size > 0) result["group_size"] = args.group_size;
  if (!args.dynamic) result["observer"] = name_of(args.observer);
  return result;
}

json to_json(const std::optional<QuantArgs>& args) { return args ? to_json(*args) : json(); }

json to_json(const modules::CorrectionOptions& options) {
  return {{"reduction", options.reduction},
          {"input", name_in(modules::kCorrectionInputs, options.input)},
          {"beta", name_in(modules::kCorrectionBetas, options.beta)}};
}

/// Writes model.safetensors a weight at a time, under the names and with the sizes that
/// planned_bytes() gave.
class WeightWriter {
 public:
  WeightWriter(const fs::path& path, const ExportSource& source)
      : source_(source),
        planned_(planned_bytes(source.plan, source.weights, source.dtype)),
        writer_(path, infos()) {}

  void write(const std::function<void(std::int64_t)>& progress) {
    for (const std::string& name : source_.weights.names()) {
      write_weight(name);
      progress(1);
    }
    writer_.commit();
  }

 private:
  std::vector<data::TensorInfo> infos() const {
    std::vector<data::TensorInfo> infos;
    for (const PlannedBytes& weight : planned_) {
      infos.push_back({weight.name, data::dtype_named(weight.dtype).value(), weight.shape});
    }
    return infos;
  }

  void write_weight(const std::string& name) {
    constexpr std::string_view kWeight = ".weight";
    const std::string module =
        name.ends_with(kWeight) ? name.substr(0, name.size() - kWeight.size()) : "";
    const PlannedLinear* linear = source_.plan.linear(module);
    if (!linear || name != linear->ref.weight_name()) {
      const modules::WeightInfo info = source_.weights.info(name);
      return append(name,
                    source_.weights.get(name).detach().to(exported_dtype(info, source_.dtype)));
    }
    const QuantizedWeight weight = quantized_weight(source_.weights, *linear);
    for (const auto& [tensor, value] : stored_tensors(weight, *linear))
      append(module + tensor, value);
    if (linear->is_static())
      append(module + ".input_scale", source_.scales.get(linear->group).detach());
  }

  void append(const std::string& name, const at::Tensor& tensor) {
    const at::Tensor contiguous = tensor.contiguous();
    writer_.append(name, modules::view_of(contiguous).bytes);
  }

  const ExportSource& source_;
  std::vector<PlannedBytes> planned_;
  data::SafetensorsWriter writer_;
};

void copy_companions(const modules::Model& model, const fs::path& directory) {
  const std::set<std::string> ours{"dualpath.json", "correction.json"};
  for (const fs::path& file : model.companion_files) {
    if (!ours.contains(file.filename().string())) fs::copy_file(file, directory / file.filename());
  }
  for (const auto& [name, content] : model.made_files) write_file(directory / name, content);
}

void write_json(const fs::path& path, const json& content) {
  write_file(path, content.dump(2) + "\n");
}

void write_corrections(const fs::path& directory, const ExportSource& source) {
  modules::write_tensors(directory / "correction.safetensors", source.corrections.parameters());
  json description = to_json(source.correction_options);
  description["hidden_size"] = source.model.config.hidden_size;
  description["stages"] = source.corrections.stages();
  description["parameters"] = source.corrections.parameter_count();
  write_json(directory / "correction.json", description);
}

json checksums(const fs::path& directory) {
  json sums = json::object();
  for (const auto& entry : fs::directory_iterator(directory)) {
    sums[entry.path().filename().string()] = sha256_file(entry.path());
  }
  return sums;
}

/// An export takes the place of an older one; anything else there is somebody's work.
void refuse_other_content(const fs::path& directory) {
  if (fs::exists(directory) && !fs::is_empty(directory) &&
      !fs::exists(directory / "dualpath.json")) {
    throw Error(
        "{}: expected a new directory or an older export to replace, but it holds something else",
        directory.string());
  }
}

constexpr const char *kInt = "int-quantized", *kPacked = "pack-quantized";

const char* format_of(const PlannedLinear& linear) { return linear.is_packed() ? kPacked : kInt; }

/// By name: of several targets that match, compressed-tensors takes the most special, not the
/// first.
std::vector<std::string> linears_of(const Plan& plan, const ConfigGroup& group) {
  std::vector<std::string> names;
  for (const PlannedLinear& linear : plan.linears)
    if (linear.scheme == group.name) names.push_back(linear.ref.name);
  return names;
}

}  // namespace

json quantization_config(const QuantizeOptions& options, const Plan& plan) {
  std::set<std::string> formats;
  for (const PlannedLinear& linear : plan.linears) formats.insert(format_of(linear));
  json groups = json::object();
  std::size_t index = 0;
  for (const ConfigGroup& group : options.config_groups) {
    const std::vector<std::string> names = linears_of(plan, group);
    if (names.empty()) continue;  // all it targets belongs to groups before it
    json entry{{"targets", options.config_groups.size() == 1 ? group.targets : names},
               {"weights", to_json(group.weights)},
               {"input_activations", to_json(group.input_activations)},
               {"output_activations", nullptr}};
    if (formats.contains(kPacked)) entry["format"] = format_of(*plan.linear(names.front()));
    groups["group_" + std::to_string(index++)] = std::move(entry);
  }
  return {{"quant_method", "compressed-tensors"},
          {"format", formats.size() == 1 ? *formats.begin() : "mixed-precision"},
          {"quantization_status", "compressed"},
          {"config_groups", groups},
          {"ignore", plan.ignored}};
}

void export_model(const fs::path& directory, const ExportSource& source,
                  const std::function<void(std::int64_t)>& progress) {
  refuse_other_content(directory);
  if (!directory.parent_path().empty()) fs::create_directories(directory.parent_path());
  remove_stale_temporaries_of(directory);
  AtomicDirectory out(directory, Replace::kYes);
  json config = source.model.config_json;
  config["quantization_config"] = quantization_config(source.options, source.plan);
  config.erase("torch_dtype");  // the key's older name
  config["dtype"] = name_in(modules::kComputeDtypes, source.dtype);
  write_json(out.path() / "config.json", config);
  WeightWriter(out.path() / "model.safetensors", source).write(progress);
  copy_companions(source.model, out.path());
  write_corrections(out.path(), source);
  json description = source.provenance;
  description["sha256"] = checksums(out.path());
  write_json(out.path() / "dualpath.json", description);
  out.commit();
}

}  // namespace dualpath::quant
