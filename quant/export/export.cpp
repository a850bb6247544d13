#include "quant/export/export.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/torch.h>

#include <algorithm>
#include <map>
#include <set>

#include "data/base/error.h"
#include "data/files/atomic_directory.h"
#include "data/files/atomic_file.h"
#include "data/files/checksum.h"
#include "data/files/file.h"
#include "data/files/places.h"
#include "data/formats/json.h"
#include "data/formats/safetensors_writer.h"
#include "quant/export/quantization_config.h"
#include "quant/ops/integer_attention.h"
#include "quant/stored/layout.h"
#include "quant/stored/stored_weight.h"

namespace dualpath::quant {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kDescription = "dualpath.json";

json to_json(const modules::CorrectionOptions& options) {
  return {{"reduction", options.reduction},
          {"input", name_in(modules::kCorrectionInputs, options.input)},
          {"beta", name_in(modules::kCorrectionBetas, options.beta)}};
}

/// Writes model.safetensors a weight at a time, with the names and sizes of planned_bytes().
class WeightWriter {
 public:
  WeightWriter(const fs::path& path, const ExportSource& source)
      : source_(source),
        weights_(source.codes.weights()),
        linears_(source.plan.by_weight(weights_)),
        convs_(source.plan.convs_by_weight()),
        scales_(source.scales.on_host()),
        planned_(planned_bytes(source.plan, weights_, source.dtype)),
        writer_(path, infos()) {}

  void write(const std::function<void(std::int64_t)>& progress) {
    for (const std::string& name : weights_.names()) {
      write_weight(name);
      progress(1);
    }
    for (const PlannedAttention& attention : source_.plan.attentions) write_scales(attention);
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
    const auto linear = linears_.find(name);
    if (linear != linears_.end()) return write(*linear->second);
    const auto conv = convs_.find(name);
    if (conv != convs_.end()) return write(*conv->second);
    const modules::WeightInfo info = weights_.info(name);
    append(name, weights_.get(name).detach().cpu().to(exported_dtype(info, source_.dtype)));
  }

  void write(const PlannedLinear& linear) {
    const std::shared_ptr<const GridWeight> codes = source_.codes.get(linear);
    for (const auto& [tensor, value] : stored_tensors(codes->to(at::kCPU), linear))
      append(weights_.canonical(linear.ref.name + tensor), value);
    if (source_.plan.has_input_scale(linear))
      append(linear.ref.name + stored_name::kInputScale, scales_.get(linear.group));
  }

  void write(const PlannedConv& conv) {
    for (const auto& [tensor, value] : stored_tensors(grid_weight(weights_, conv), conv))
      append(conv.ref.name + tensor, value);
    append(conv.ref.name + stored_name::kInputScale, scales_.get(conv.group));
  }

  void write_scales(const PlannedAttention& attention) {
    for (const modules::Operand operand : attention.operands())
      append(stored_name::scale(attention, operand),
             head_scales(scales_, attention.head_groups(operand)));
  }

  void append(const std::string& name, const at::Tensor& tensor) {
    const at::Tensor contiguous = tensor.contiguous();
    writer_.append(name, modules::view_of(contiguous).bytes);
  }

  const ExportSource& source_;
  const modules::WeightStore& weights_;
  std::map<std::string, const PlannedLinear*> linears_;
  std::map<std::string, const PlannedConv*> convs_;
  ActivationScales scales_;
  std::vector<PlannedBytes> planned_;
  data::SafetensorsWriter writer_;
};

void copy_companions(const modules::Model& model, const fs::path& directory) {
  const std::set<std::string> ours{kDescription, "correction.json"};
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
  json description = to_json(source.correction_options), stages = json::array();
  for (const std::string& stage : source.corrections.stages())
    stages.push_back({{"name", stage}, {"hidden_size", source.corrections.width(stage)}});
  description["stages"] = std::move(stages);
  description["parameters"] = source.corrections.parameter_count();
  write_json(directory / "correction.json", description);
}

/// The scales by modality, of the groups that have several.
json modality_scales(const ExportSource& source) {
  const ActivationScales on_host = source.scales.on_host();
  json scales = json::object();
  for (const TensorGroup& group : source.plan.groups) {
    for (const modules::Modality modality : group.separate)
      scales[group.name][std::string(modules::name_of(modality))] =
          on_host.get(group.scale_name(modality)).item<float>();
  }
  return scales;
}

json checksums(const fs::path& directory) {
  json sums = json::object();
  for (const auto& entry : fs::directory_iterator(directory)) {
    sums[entry.path().filename().string()] = sha256_file(entry.path());
  }
  return sums;
}

/// The files of an export and their SHA-256, as its dualpath.json lists them. Empty if that file is
/// missing.
std::map<std::string, std::string> exported_files(const fs::path& directory) {
  std::map<std::string, std::string> files;
  const fs::path description = directory / kDescription;
  if (!fs::is_regular_file(fs::symlink_status(description))) return files;
  const data::JsonObject sums = data::JsonObject::read(description).object("sha256");
  for (const std::string& name : sums.keys()) files[name] = sums.string(name);
  files[kDescription] = sha256_file(description);  // the file cannot hold its own sum
  return files;
}

/// Refuses a directory with other content than an older export's. Anything else there, and any file
/// changed since, is somebody's work.
void refuse_other_content(const fs::path& directory, const fs::path& ours = {}) {
  if (!fs::exists(directory)) return;
  if (!fs::is_directory(directory))
    throw Error("{}: expected a directory, got a file", directory.string());
  const std::map<std::string, std::string> exported = exported_files(directory);
  std::vector<std::string> others;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    const bool is_file = !entry.is_symlink() && entry.is_regular_file();
    const auto found = exported.find(name);
    const bool is_exported =
        is_file && found != exported.end() && found->second == sha256_file(entry.path());
    if (!is_exported && name != ours.filename()) others.push_back(name);
  }
  if (others.empty()) return;
  std::ranges::sort(others);
  throw Error(
      "{}: expected a new directory or an older export to replace, but it holds something else: {}",
      directory.string(), fmt::join(others, ", "));
}

void refuse_unsaid(const ExportSource& source) {
  if (source.format == ExportFormat::kDualPath) return;
  for (const TensorGroup& group : source.plan.groups) {
    if (!group.separate.empty())
      throw Error(
          "{}: has a scale a modality, which compressed-tensors has no word for; export.format: "
          "dualpath has",
          group.name);
  }
}

}  // namespace

void export_model(const fs::path& directory, const ExportSource& source,
                  const std::function<void(std::int64_t)>& progress) {
  refuse_unsaid(source);
  fs::create_directories(fs::absolute(followed(directory)).parent_path());
  remove_stale_temporaries_of(directory);
  refuse_other_content(directory);
  AtomicDirectory out(directory, Replace::kYes);
  json config = source.model.config_json;
  if (!source.options.is_nothing()) {
    config["quantization_config"] = quantization_config(source.options, source.plan);
    config["quantization_config"]["quant_method"] = name_in(kExportFormats, source.format);
  }
  config.erase("torch_dtype");  // the key's older name
  config["dtype"] = name_in(modules::kComputeDtypes, source.dtype);
  write_json(out.path() / "config.json", config);
  WeightWriter(out.path() / "model.safetensors", source).write(progress);
  copy_companions(source.model, out.path());
  if (!source.options.is_nothing()) write_corrections(out.path(), source);
  json description = source.provenance;
  if (const json scales = modality_scales(source); !scales.empty())
    description["modality_scales"] = scales;
  description["sha256"] = checksums(out.path());
  write_json(out.path() / kDescription, description);
  refuse_other_content(directory, out.path());  // again: writing weights takes its time
  out.commit();
}

}  // namespace dualpath::quant
