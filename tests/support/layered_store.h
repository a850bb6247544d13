#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "modules/weights/weight_store.h"
#include "tests/support/catch.h"

namespace dualpath::testing {

/// A store whose methods all answer otherwise than WeightStore's defaults: "plain.weight", which is
/// "other.weight", too, "changed.weight" and "trained.weight".
class TellingStore : public modules::WeightStore {
 public:
  const std::vector<std::string>& names() const override { return names_; }
  bool contains(const std::string& name) const override {
    return name == "other.weight" || name.ends_with("d.weight") || name == "plain.weight";
  }
  modules::WeightInfo info(const std::string&) const override { return {at::kFloat, {2}}; }
  at::Tensor get(const std::string&) const override { return value_; }
  std::string canonical(const std::string& name) const override {
    return name == "other.weight" ? "plain.weight" : name;
  }
  std::optional<std::string> file_with(const std::string& name) const override {
    return "file of " + name;
  }
  bool is_trained(const std::string& name) const override { return name == "trained.weight"; }
  bool is_changed(const std::string& name) const override { return name == "changed.weight"; }

 private:
  std::vector<std::string> names_{"changed.weight", "plain.weight", "trained.weight"};
  at::Tensor value_ = at::ones(2);
};

/// Checks every method of a layer over `below`: it answers as `below` does for all that it does not
/// change.
inline void check_tells(const modules::WeightStore& layer, const TellingStore& below) {
  CHECK(layer.names() == below.names());
  CHECK(layer.contains("plain.weight"));
  CHECK_FALSE(layer.contains("none.weights"));
  CHECK(layer.info("plain.weight").shape == std::vector<std::int64_t>{2});
  CHECK(layer.get("plain.weight").is_same(below.get("plain.weight")));
  CHECK(layer.canonical("other.weight") == "plain.weight");
  CHECK(layer.file_with("plain.weight") == "file of plain.weight");
  CHECK(layer.is_trained("trained.weight"));
  CHECK_FALSE(layer.is_trained("plain.weight"));
  CHECK(layer.is_changed("changed.weight"));
  CHECK_FALSE(layer.is_changed("plain.weight"));
}

}  // namespace dualpath::testing
