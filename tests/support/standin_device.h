#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

namespace dualpath::testing {

/// A device for tests without a GPU: torch's PrivateUse1 over the host's memory. Its operators are
/// the CPU's, called on the same memory with the same strides, so results have the CPU's bits. It
/// is stricter than the CPU: an operator that is given one of its tensors and a CPU tensor of one
/// or more dimensions throws an error that names the operator. Copies between the two are allowed.
/// Registers the device at the first call.
at::Device standin_device();

/// Returns the host's reads from the device since the last call, by operator, in order:
/// "aten::_local_scalar_dense" (item()), "aten::_copy_from" (a copy to the CPU), and operators
/// whose result has a shape that depends on values ("aten::nonzero"). Forgets them.
std::vector<std::string> take_read_backs();

}  // namespace dualpath::testing
