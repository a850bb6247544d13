#include <CLI/CLI.hpp>

#include <chrono>

#include "data/base/error.h"
#include "data/process/standard_streams.h"
#include "tools/commands/command.h"
#include "trainer/processes/launch.h"
#include "trainer/processes/rendezvous.h"

namespace dualpath::tools {
namespace {

/// This process's meeting with the others; nothing if it is alone.
std::optional<trainer::Rendezvous> meeting_of(const RecipeArguments& arguments) {
  auto meeting = trainer::rendezvous_of(trainer::environment_variable);
  if (meeting && arguments.processes > 1 && arguments.processes != meeting->size) {
    throw UsageError("--processes {}: a launcher has started {} already", arguments.processes,
                     meeting->size);
  }
  if (!meeting && arguments.processes > 1) {
    throw Ended{trainer::launch(arguments.processes)};
  }
  return meeting;
}

}  // namespace

void run_together(const RecipeArguments& arguments,
                  const std::function<void(const std::shared_ptr<trainer::Processes>&)>& work) {
  const auto meeting = meeting_of(arguments);
  const auto processes = meeting ? std::make_shared<trainer::Processes>(
                                       *meeting, std::chrono::seconds(arguments.timeout))
                                 : std::make_shared<trainer::Processes>();
  if (!processes->is_first()) redirect_standard_streams("/dev/null");
  try {
    work(processes);
  } catch (const std::exception& error) {
    processes->leave(error.what());
    throw;
  }
}

void add_processes(CLI::App& command, RecipeArguments& arguments) {
  command
      .add_option(
          "--processes", arguments.processes,
          "share the work among so many processes on this machine; torchrun and Slurm start "
          "them on several")
      ->check(CLI::Range(1, 1024));
  command
      .add_option("--timeout", arguments.timeout,
                  "seconds after which a process that says nothing counts as lost")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
}

}  // namespace dualpath::tools
