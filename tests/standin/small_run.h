#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/support/temporary_directory.h"
#include "trainer/recipe/options.h"

namespace dualpath::testing {

/// A run of a small model on any device, in a folder of its own: the functions that the commands
/// call, with the files they leave.
class SmallRun {
 public:
  /// model: of tests/reference, with samples.jsonl beside it if it has towers. settings: as --set
  /// takes them.
  SmallRun(const std::string& model, std::vector<std::string> settings, at::Device device);

  /// Runs `dualpath calibrate` and `dualpath train` up to a step; `dualpath evaluate`, whose table
  /// comes as JSON; `dualpath export`; evaluates the export. Texts of `dualpath generate`, a row
  /// each.
  void calibrate() const;
  void train(std::int64_t max_steps) const;
  std::string evaluate() const;
  void export_model() const;
  std::string evaluate_export() const;
  std::map<std::string, std::string> generate() const;

  /// The content of every file of run and export by name, without times, memory, predictions and
  /// the folder's name.
  std::map<std::string, std::string> files() const;
  /// Takes over another run's directory.
  void continue_from(const SmallRun& other) const;

  /// The recipe, which chooses the device.
  trainer::Recipe recipe(std::int64_t max_steps = kSteps) const;
  static constexpr std::int64_t kSteps = 4, kFirstSteps = 2;

 private:
  TemporaryDirectory folder_;
  std::vector<std::string> settings_;
  at::Device device_;
};

}  // namespace dualpath::testing
