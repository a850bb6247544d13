#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "data/formats/gguf.h"
#include "modules/weights/weight_store.h"

namespace dualpath::modules {

/// The weights of a GGUF file of architecture "llama", decoded to float32 when asked for. llama.cpp
/// keeps the rows of q and k permuted for interleaved rotation: get() gives them in Hugging Face's
/// order. transformers' Llama has biases in all of attention or in none. So if q, k and v have
/// biases, a bias of o that the file lacks is zero.
class GgufStore : public WeightStore {
 public:
  explicit GgufStore(const std::filesystem::path& path);

  const std::vector<std::string>& names() const override { return names_; }
  bool contains(const std::string& name) const override {
    return file_names_.contains(name) || zero_biases_.contains(name);
  }
  WeightInfo info(const std::string& name) const override;
  at::Tensor get(const std::string& name) const override;
  const data::GgufReader& reader() const { return reader_; }

 private:
  const data::GgufTensor& stored(const std::string& name) const;
  void add_zero_biases();

  data::GgufReader reader_;
  std::map<std::string, std::string> file_names_;    // by Hugging Face's name
  std::map<std::string, std::int64_t> zero_biases_;  // their sizes, by name
  std::vector<std::string> names_;
};

}  // namespace dualpath::modules
