#include "trainer/train/logged_losses.h"

#include <nlohmann/json.hpp>

namespace dualpath::trainer {

LoggedLosses read_losses(const nlohmann::json& object, std::int64_t step) {
  const auto loss = [&](const char* key) -> std::optional<double> {
    const nlohmann::json value = object.value(key, nlohmann::json());
    if (!value.is_number()) return std::nullopt;
    return value.get<double>();
  };
  return {step, loss("loss"), loss("kl"), loss("ce"), loss("hidden")};
}

}  // namespace dualpath::trainer
