#include <ATen/Version.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/version.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "data/base/bytes_text.h"
#include "data/base/error.h"
#include "data/files/checksum.h"
#include "data/formats/gguf.h"
#include "data/formats/json.h"
#include "data/formats/safetensors_directory.h"
#include "quant/ops/integer_linear.h"
#include "tools/commands/command.h"

namespace dualpath::tools {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct InspectArguments {
  std::string path;
  bool json = false;
};

template <class Tensor>
json tensor_json(const std::string& name, std::string dtype, const Tensor& tensor) {
  return {{"name", name},
          {"dtype", std::move(dtype)},
          {"shape", tensor.shape},
          {"bytes", tensor.bytes.size()}};
}

/// Describes a safetensors file. Also compares it with its own checksum, if it has one.
json inspect_safetensors(const data::SafetensorsReader& reader) {
  reader.verify();
  json tensors = json::array();
  for (const std::string& name : reader.names()) {
    const data::TensorView& tensor = reader.tensor(name);
    tensors.push_back(tensor_json(name, std::string(data::name_of(tensor.dtype)), tensor));
  }
  return {{"kind", "safetensors"}, {"metadata", reader.metadata()}, {"tensors", tensors}};
}

json inspect_gguf(const fs::path& path) {
  const data::GgufReader reader(path);
  json tensors = json::array(), metadata = json::object();
  for (const std::string& name : reader.names()) {
    const data::GgufTensor& tensor = reader.tensor(name);
    tensors.push_back(
        tensor_json(name, data::ggml_type_name(static_cast<std::uint32_t>(tensor.type)), tensor));
  }
  for (const auto& [key, value] : reader.metadata())
    metadata[std::string(key)] = data::describe(value);
  return {{"kind", "gguf"}, {"metadata", metadata}, {"tensors", tensors}};
}

/// Verifies the SHA-256 sums that exports and checkpoints list of their files. Returns how many
/// were compared.
std::size_t verify_listed(const fs::path& directory) {
  std::size_t compared = 0;
  for (const char* list : {"dualpath.json", "state.json"}) {
    if (!fs::exists(directory / list)) continue;
    const auto sums = data::JsonObject::read(directory / list).object_if("sha256");
    if (!sums) continue;  // another program's
    for (const std::string& name : sums->keys()) {
      verify_sha256(directory / name, sums->string(name), list);
      ++compared;
    }
  }
  return compared;
}

json inspect_directory(const fs::path& path) {
  json files = json::object();
  std::size_t verified = verify_listed(path);
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    const std::string name = fs::relative(entry.path(), path).string();
    if (entry.is_directory()) verified += verify_listed(entry.path());
    if (entry.path().extension() == ".safetensors") {
      files[name] = inspect_safetensors(data::SafetensorsReader(entry.path()));
    } else if (entry.is_regular_file()) {
      files[name] = {{"bytes", entry.file_size()}};
    }
  }
  return {{"kind", fs::exists(path / "dualpath.json") ? "export" : "directory"},
          {"files", files},
          {"verified", verified}};
}

/// The versions of libraries; null for CUDA if the build has none. The numbers are coded as their
/// headers say: CUDA 13.1 is 13010, cuDNN 9.2.0 is 90200.
json versions() {
  json result{
      {"dualpath", version()}, {"torch", TORCH_VERSION}, {"cuda", nullptr}, {"cudnn", nullptr}};
  const at::CUDAHooksInterface& hooks = at::detail::getCUDAHooks();
  if (hooks.hasCUDART()) {
    const long cuda = hooks.versionCUDART();
    result["cuda"] = fmt::format("{}.{}", cuda / 1000, cuda % 1000 / 10);
  }
  if (hooks.hasCuDNN()) {
    const long cudnn = hooks.versionRuntimeCuDNN();
    result["cudnn"] = fmt::format("{}.{}.{}", cudnn / 10000, cudnn % 10000 / 100, cudnn % 100);
  }
  return result;
}

json inspect_path(const fs::path& path) {
  if (!fs::exists(path)) throw Error("{}: no such file or directory", fs::absolute(path).string());
  json result;
  if (fs::is_directory(path)) {
    result = inspect_directory(path);
  } else if (path.extension() == ".gguf") {
    result = inspect_gguf(path);
  } else if (path.extension() == ".safetensors") {
    result = inspect_safetensors(data::SafetensorsReader(path));
  } else {
    throw Error("{}: expected a directory, .safetensors or .gguf", path.string());
  }
  result["path"] = path.string();
  result["versions"] = versions();
  result["kernels"] = {{"cpu", at::get_cpu_capability()},
                       {"int8_linear", quant::integer_kernel()},
                       {"int8_simulated", quant::integer_kernel(quant::Compute::kSimulate)}};
  return result;
}

std::string tensors_text(const json& file) {
  std::string text;
  for (const json& tensor : file["tensors"]) {
    text += fmt::format(
        "  {:<56} {:<5} {:<16} {:>10}\n", tensor["name"].get<std::string>(),
        tensor["dtype"].get<std::string>(),
        fmt::format("{}", fmt::join(tensor["shape"].get<std::vector<std::int64_t>>(), "x")),
        bytes_text(tensor["bytes"].get<double>()));
  }
  return text;
}

std::string text_of(const json& result) {
  std::string text = fmt::format("{} ({})\n", result["path"].get<std::string>(),
                                 result["kind"].get<std::string>());
  if (result.contains("tensors")) text += tensors_text(result);
  if (result.contains("files")) {
    for (const auto& [name, file] : result["files"].items()) {
      text += file.contains("tensors")
                  ? name + "\n" + tensors_text(file)
                  : fmt::format("{}  {}\n", name, bytes_text(file["bytes"].get<double>()));
    }
  }
  if (result.value("verified", 0) > 0) {
    text += fmt::format("{} files have the SHA-256 that is listed for them\n",
                        result["verified"].get<std::size_t>());
  }
  const json &versions = result["versions"], &kernels = result["kernels"];
  const auto version = [&](const char* of) {
    return versions[of].is_null() ? "not built in" : versions[of].get<std::string>();
  };
  return text + fmt::format(
                    "dualpath {}, torch {}, CUDA {}, cuDNN {}; CPU kernels for {}, INT8 by {} "
                    "(simulated: {})",
                    version("dualpath"), version("torch"), version("cuda"), version("cudnn"),
                    kernels["cpu"].get<std::string>(), kernels["int8_linear"].get<std::string>(),
                    kernels["int8_simulated"].get<std::string>());
}

}  // namespace

void add_inspect(CLI::App& app) {
  auto arguments = std::make_shared<InspectArguments>();
  CLI::App* command =
      app.add_subcommand("inspect", "what is in a model, checkpoint, calibration or export");
  command->add_option("path", arguments->path, "a directory, .safetensors or .gguf")->required();
  command->add_flag("--json", arguments->json, "print the result as JSON");
  command->footer("Example:\n  dualpath inspect build/quickstart/calibration.safetensors");
  command->callback([arguments] {
    const json result = inspect_path(arguments->path);
    print(result, arguments->json, text_of(result));
  });
}

}  // namespace dualpath::tools
