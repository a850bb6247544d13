#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace dualpath::trainer {

/// A process's place among those of a run, and the store over which they meet.
struct Rendezvous {
  int rank = 0, size = 1;              ///< among all processes
  int local_rank = 0, local_size = 1;  ///< among those of this machine
  std::string address;                 ///< host of the store, over which processes meet
  std::uint16_t port = 0;
  /// Whether rank 0 runs the store; else a launcher does.
  bool first_hosts = true;
  /// Stands before every key: the run's id and how often it was restarted. A process that outlived
  /// a restart then meets nobody.
  std::string prefix;
};

/// Reads an environment variable; nothing if it is not set.
using Environment = std::function<std::optional<std::string>(const std::string&)>;
std::optional<std::string> environment_variable(const std::string& name);

/// Reads the variables that torchrun sets (RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT, ...) or, in
/// a step of more than one task, Slurm's. Nothing if this process is alone. A variable that is
/// missing beside the others or is no number is an Error naming it.
std::optional<Rendezvous> rendezvous_of(const Environment& environment);

}  // namespace dualpath::trainer
