#include "data/formats/pickle.h"

#include "data/base/error.h"
#include "data/files/file_descriptor.h"

namespace dualpath::data {
namespace {

namespace fs = std::filesystem;

bool is_pickle(const fs::path& file) {
  const fs::path kind = file.extension();
  return kind == ".bin" || kind == ".pt" || kind == ".pth" || kind == ".ckpt";
}

bool holds_only_pickles(const fs::path& directory) {
  bool pickle = false;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const fs::path kind = entry.path().extension();
    if (kind == ".safetensors" || kind == ".gguf") return false;
    if (entry.path().filename() == "model.safetensors.index.json") return false;
    pickle = pickle || is_pickle(entry.path());
  }
  return pickle;
}

}  // namespace

void refuse_pickle(const fs::path& path) {
  const bool directory = fs::is_directory(path);
  if (directory ? !holds_only_pickles(path) : !is_pickle(path)) return;
  const std::string model = directory ? path.string() : parent_directory(path).string();
  throw Error(
      "{}: is a pickle, which may run any program when read; convert it where that is safe: "
      "python3 -c \"from transformers import AutoModelForCausalLM as M, AutoTokenizer as T; "
      "[kind.from_pretrained('{}').save_pretrained('safetensors_model') for kind in (M, T)]\"",
      path.string(), model);
}

}  // namespace dualpath::data
