#pragma once

// torch and Catch2 both define CHECK. Tests that use torch include this file, and CHECK is Catch2's.
#include <torch/torch.h>

#undef CHECK
#include <catch2/catch.hpp>
