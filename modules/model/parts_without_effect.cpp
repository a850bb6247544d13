#include "modules/model/parts_without_effect.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/process/standard_streams.h"

namespace dualpath::modules {
namespace {

class WithoutParts : public LayeredStore {
 public:
  WithoutParts(std::shared_ptr<const WeightStore> below, std::vector<std::string> parts)
      : LayeredStore(std::move(below)), parts_(std::move(parts)) {
    for (const std::string& name : this->below().names())
      if (!is_left_out(name)) names_.push_back(name);
  }

  const std::vector<std::string>& names() const override { return names_; }
  bool contains(const std::string& name) const override {
    return !is_left_out(name) && LayeredStore::contains(name);
  }

 private:
  bool is_left_out(const std::string& name) const {
    return std::any_of(parts_.begin(), parts_.end(),
                       [&](const std::string& part) { return name.starts_with(part); });
  }

  std::vector<std::string> parts_, names_;
};

}  // namespace

std::shared_ptr<const WeightStore> without_parts(std::shared_ptr<const WeightStore> weights,
                                                 const std::vector<std::string>& parts,
                                                 const std::string& where) {
  std::vector<std::string> held;
  for (const std::string& part : parts) {
    const auto count =
        std::count_if(weights->names().begin(), weights->names().end(),
                      [&](const std::string& name) { return name.starts_with(part); });
    if (count == 0) continue;
    held.push_back(part);
    write_notice(fmt::format("dualpath: {}: {} tensors {}* have no effect on the encoder\n", where,
                             count, part));
  }
  if (held.empty()) return weights;
  return std::make_shared<WithoutParts>(std::move(weights), std::move(held));
}

}  // namespace dualpath::modules
