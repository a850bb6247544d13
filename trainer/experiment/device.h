#pragma once

#include <string>

#include "trainer/recipe/options.h"

namespace dualpath::trainer {

/// Puts the device that the recipe asks for into its model.device: with `auto` CUDA if this build
/// and this machine have it, else the CPU. Without a number, a machine's processes take its GPUs in
/// turn. CUDA that is asked for and missing is an Error that says whether the build or the machine
/// lacks it.
void choose_device(Recipe& recipe, int local_rank = 0);

/// Describes where and how a recipe's run computes, for the first line of a command: device, the
/// products of the schemes that it uses, and threads. Products are of integers unless the text says
/// otherwise: "simulated exactly" are float products with the integers' bits, and weights alone are
/// multiplied by their values. The device must be chosen.
std::string compute_text(const Recipe& recipe);

}  // namespace dualpath::trainer
