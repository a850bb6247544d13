#pragma once

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "data/base/error.h"
#include "data/jinja/template.h"

namespace dualpath::testing {

/// Saturday, the 6th of July 2024, 12:30.
inline std::tm fixed_time() {
  std::tm time{};
  time.tm_year = 2024 - 1900;
  time.tm_mon = 6;
  time.tm_mday = 6;
  time.tm_wday = 6;
  time.tm_hour = 12;
  time.tm_min = 30;
  return time;
}

inline std::string rendered(const std::string& source, const nlohmann::ordered_json& variables =
                                                           nlohmann::ordered_json::object()) {
  return data::jinja::Template(source, "t").render(variables, fixed_time());
}

/// The error of a template that must have one.
inline std::string refusal(const std::string& source, const nlohmann::ordered_json& variables =
                                                          nlohmann::ordered_json::object()) {
  try {
    return "no error: " + rendered(source, variables);
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace dualpath::testing
