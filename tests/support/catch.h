#pragma once

// torch and Catch2 both define CHECK; tests that use torch include this file, and get Catch2's.
#include <torch/types.h>

#undef CHECK
#include <catch2/catch.hpp>
