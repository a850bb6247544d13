#include "quant/plan/sites.h"

namespace dualpath::quant {
namespace {

using modules::Role;

class SiteList {
 public:
  explicit SiteList(const modules::Structure& structure) : structure_(structure) {}

  void add(const modules::LinearUse& use) {
    for (const modules::LinearRef& ref : use.refs) {
      add(ref.weight_site(), Role::kWeight, use.stage, ref.weight_shape());
      add(ref.input_site(), Role::kInput, use.stage, {ref.in_features});
    }
  }
  void add(const modules::ConvUse& use) {
    add(use.ref.weight_site(), Role::kWeight, use.stage, use.ref.weight_shape());
    add(use.ref.input_site(), Role::kInput, use.stage, {use.ref.in_channels});
  }
  void add(const modules::AttentionUse& use) {
    if (!use.ref.causal) return;
    for (const auto& [word, operand] : modules::kOperands)
      add(use.ref.site(operand), role_of(operand), use.stage,
          {use.ref.heads(operand), use.ref.head_dim});
  }

  Sites sites;

 private:
  static Role role_of(modules::Operand operand) {
    switch (operand) {
      case modules::Operand::kQuery:
        return Role::kQuery;
      case modules::Operand::kKey:
        return Role::kKey;
      case modules::Operand::kValue:
        break;
    }
    return Role::kValue;
  }

  void add(modules::SiteName name, Role role, const std::string& stage,
           std::vector<std::int64_t> shape) {
    sites.push_back({std::move(name), role, stage, structure_.streams.at(stage), std::move(shape)});
  }

  const modules::Structure& structure_;
};

}  // namespace

Sites sites_of(const modules::Structure& structure) {
  SiteList list(structure);
  for (const modules::LinearUse& use : structure.linears) list.add(use);
  for (const modules::ConvUse& use : structure.convs) list.add(use);
  for (const modules::AttentionUse& use : structure.attentions) list.add(use);
  return std::move(list.sites);
}

}  // namespace dualpath::quant
