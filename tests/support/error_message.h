#pragma once

#include <string>

#include "data/base/error.h"

namespace dualpath::testing {

/// The message of the Error that action throws; fails the test's comparison if it throws none.
template <class Action>
std::string error_message(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "(no Error was thrown)";
}

}  // namespace dualpath::testing
