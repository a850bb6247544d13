#include "modules/network/state_fields.h"

namespace dualpath::modules {

void for_each_field(State& state,
                    const std::function<void(const std::string&, at::Tensor&)>& visit) {
  const auto visit_stream = [&](const std::string& prefix, Stream& stream) {
    visit(prefix + "input", stream.input);
    visit(prefix + "hidden", stream.hidden);
    visit(prefix + "mask", stream.mask);
    visit(prefix + "grid", stream.grid);
    visit(prefix + "places", stream.places);
    visit(prefix + "rotation.cos", stream.rotation.cos);
    visit(prefix + "rotation.sin", stream.rotation.sin);
  };
  visit("ids", state.ids);
  visit("positions", state.positions);
  visit("kinds", state.kinds);
  visit_stream("", state);
  for (auto& [modality, stream] : state.towers)
    visit_stream(std::string(name_of(modality)) + ".", stream);
}

bool is_made_on_host(const std::string& field) {
  return field == "positions" || field.ends_with("grid") || field.ends_with("places");
}

}  // namespace dualpath::modules
