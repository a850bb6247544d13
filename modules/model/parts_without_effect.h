#pragma once

#include <memory>
#include <string>
#include <vector>

#include "modules/weights/weight_store.h"

namespace dualpath::modules {

/// Leaves out tensors that a file holds beside a network's own: those whose names begin like one of
/// `parts` (see Network::parts_without_effect). Says on stderr how many each part has. So they are
/// neither counted nor exported. Returns the store itself if it holds none. where: the model, for
/// the message.
std::shared_ptr<const WeightStore> without_parts(std::shared_ptr<const WeightStore> weights,
                                                 const std::vector<std::string>& parts,
                                                 const std::string& where);

}  // namespace dualpath::modules
