#include "modules/config/activation.h"

#include <array>
#include <utility>

#include "data/base/error.h"

namespace dualpath::modules {
namespace {

constexpr std::array<std::pair<const char*, Activation>, 5> kActivations{{
    {"silu", Activation::kSilu},
    {"gelu", Activation::kGelu},
    {"gelu_pytorch_tanh", Activation::kGeluTanh},
    {"gelu_new", Activation::kGeluTanh},
    {"relu", Activation::kRelu},
}};

}  // namespace

Activation activation_named(const std::string& name, const std::string& where) {
  for (const auto& [known, activation] : kActivations) {
    if (name == known) return activation;
  }
  throw Error("{}: hidden_act: expected silu, gelu, gelu_pytorch_tanh or relu, got \"{}\"", where,
              name);
}

const char* name_of(Activation activation) {
  for (const auto& [name, known] : kActivations) {
    if (activation == known) return name;
  }
  return "";
}

}  // namespace dualpath::modules
