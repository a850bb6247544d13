#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dualpath::modules {

struct WeightInfo {
  at::ScalarType dtype;  ///< dtype of get()'s values
  std::vector<std::int64_t> shape;
  /// Whether the values have no dtype of a file: get() decodes blocks (GGUF), or they are trained.
  bool decoded = false;
};

/// Finds tensors by Hugging Face's names, whatever the file calls them. They are mapped from the
/// file or decoded when asked for; the store keeps no copies. Thread-safe.
class WeightStore {
 public:
  virtual ~WeightStore() = default;

  /// All names, sorted, without aliases.
  virtual const std::vector<std::string>& names() const = 0;
  virtual bool contains(const std::string& name) const = 0;
  /// Throws an Error if the name is unknown.
  virtual WeightInfo info(const std::string& name) const = 0;
  /// The source's values: mapped, or decoded to float32 if the file holds blocks.
  virtual at::Tensor get(const std::string& name) const = 0;
  /// The name under which a tied tensor is stored: "lm_head.weight" -> "model.embed_tokens.weight".
  virtual std::string canonical(const std::string& name) const { return name; }
  /// The file that a tensor lies in, for messages, if there are several.
  virtual std::optional<std::string> file_with(const std::string&) const { return std::nullopt; }
  /// Whether get() gives a trained tensor instead of the file's.
  virtual bool is_trained(const std::string&) const { return false; }
  /// Whether get() gives other values than the file's: trained ones, or ones that carry folded
  /// scales.
  virtual bool is_changed(const std::string& name) const { return is_trained(name); }
};

/// Number of all tensors' elements, a tied one once.
std::int64_t parameter_count(const WeightStore& weights);

/// A store over another one. Every method asks the store below, under name_below(), so a layer
/// overrides only what differs.
class LayeredStore : public WeightStore {
 public:
  explicit LayeredStore(std::shared_ptr<const WeightStore> below) : below_(std::move(below)) {}

  const std::vector<std::string>& names() const override { return below_->names(); }
  bool contains(const std::string& name) const override {
    return below_->contains(name_below(name));
  }
  WeightInfo info(const std::string& name) const override { return below_->info(name_below(name)); }
  at::Tensor get(const std::string& name) const override { return below_->get(name_below(name)); }
  std::string canonical(const std::string& name) const override {
    return below_->canonical(name_below(name));
  }
  std::optional<std::string> file_with(const std::string& name) const override {
    return below_->file_with(name_below(name));
  }
  bool is_trained(const std::string& name) const override {
    return below_->is_trained(name_below(name));
  }
  bool is_changed(const std::string& name) const override {
    return below_->is_changed(name_below(name));
  }

 protected:
  const WeightStore& below() const { return *below_; }
  /// The tensor's name in the store below.
  virtual std::string name_below(const std::string& name) const { return name; }

 private:
  std::shared_ptr<const WeightStore> below_;
};

/// Gives one tensor two names, and also its companions (its scale: the name and an ending).
class TiedWeights : public LayeredStore {
 public:
  TiedWeights(std::shared_ptr<const WeightStore> below, std::map<std::string, std::string> aliases);

  const std::vector<std::string>& names() const override { return names_; }

 protected:
  std::string name_below(const std::string& name) const override;

 private:
  std::map<std::string, std::string> aliases_;
  std::vector<std::string> names_;  // a file may hold an alias, too, which counts for nothing
};

/// Gives one tensor another name than the file's.
class RenamedWeight : public LayeredStore {
 public:
  RenamedWeight(std::shared_ptr<const WeightStore> below, std::string theirs, std::string ours);

  const std::vector<std::string>& names() const override { return names_; }
  bool contains(const std::string& name) const override {
    return name == ours_ || (name != theirs_ && LayeredStore::contains(name));
  }
  std::string canonical(const std::string& name) const override;

 protected:
  std::string name_below(const std::string& name) const override {
    return name == ours_ ? theirs_ : name;
  }

 private:
  std::string theirs_, ours_;
  std::vector<std::string> names_;
};

/// Trained tensors over a store that stays unchanged. Only the quantized path reads through it; the
/// reference reads the store below. Export reads this one.
class WeightOverlay : public LayeredStore {
 public:
  using LayeredStore::LayeredStore;

  /// Puts a trained tensor over `name`. Its shape must be that of the one below.
  void set(const std::string& name, at::Tensor value);
  const std::map<std::string, at::Tensor>& trained() const { return trained_; }

  WeightInfo info(const std::string& name) const override;
  at::Tensor get(const std::string& name) const override;
  bool is_trained(const std::string& name) const override;
  bool is_changed(const std::string& name) const override;

 private:
  std::map<std::string, at::Tensor> trained_;
};

}  // namespace dualpath::modules
