#include "trainer/processes/rendezvous.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <sstream>

#include "data/base/error.h"
#include "trainer/processes/store_keys.h"

namespace dualpath::trainer {
namespace {

/// The variables of one launcher, read as numbers and texts.
struct Variables {
  const Environment& environment;
  const char* launcher;

  std::string text(const std::string& name) const {
    auto value = environment(name);
    if (!value || value->empty()) throw Error("{}'s variable {} is not set", launcher, name);
    return *value;
  }

  int number(const std::string& name, int least, int most) const {
    const std::string value = text(name);
    int number = 0;
    const char* end = value.data() + value.size();
    const auto [parsed, error] = std::from_chars(value.data(), end, number);
    if (error != std::errc() || parsed != end || number < least || number > most)
      throw Error("{}'s variable {}: expected a number from {} to {}, got {}", launcher, name,
                  least, most, printable(value));
    return number;
  }
};

constexpr int kMostProcesses = 1 << 20;

Rendezvous of_torchrun(const Environment& environment) {
  const Variables variables{environment, "torchrun"};
  Rendezvous found;
  found.size = variables.number("WORLD_SIZE", 1, kMostProcesses);
  found.rank = variables.number("RANK", 0, found.size - 1);
  if (environment("LOCAL_WORLD_SIZE"))
    found.local_size = variables.number("LOCAL_WORLD_SIZE", 1, found.size);
  if (environment("LOCAL_RANK"))
    found.local_rank = variables.number("LOCAL_RANK", 0, found.local_size - 1);
  found.address = variables.text("MASTER_ADDR");
  found.port = static_cast<std::uint16_t>(
      variables.number("MASTER_PORT", 1, std::numeric_limits<std::uint16_t>::max()));
  found.first_hosts = environment("TORCHELASTIC_USE_AGENT_STORE").value_or("") != "True";
  found.prefix = store_prefix(environment("TORCHELASTIC_RUN_ID").value_or("none"),
                              environment("TORCHELASTIC_RESTART_COUNT").value_or("0"));
  return found;
}

/// The first host of a list like "node[03-07,12],big1": "node03".
std::string first_host(const std::string& list) {
  const std::size_t bracket = list.find('['), comma = list.find(',');
  if (bracket == list.npos || comma < bracket) return list.substr(0, comma);
  const std::size_t end = list.find_first_of("-,]", bracket);
  return list.substr(0, bracket) + list.substr(bracket + 1, end - bracket - 1);
}

/// The tasks of a node in a list like "2(x3),1": three nodes of two, one of one. At least `least`.
int tasks_of_node(const std::string& list, int node, int least) {
  int begin = 0;
  std::istringstream parts(list);
  for (std::string part; std::getline(parts, part, ',');) {
    int tasks = 0, nodes = 1;
    if (std::sscanf(part.c_str(), "%d(x%d)", &tasks, &nodes) < 1) break;
    begin += nodes;
    if (node < begin) return std::max(tasks, least);
  }
  return least;
}

Rendezvous of_slurm(const Environment& environment) {
  const Variables variables{environment, "Slurm"};
  constexpr int kMostJobs = std::numeric_limits<int>::max();
  Rendezvous found;
  found.size = variables.number("SLURM_STEP_NUM_TASKS", 1, kMostProcesses);
  found.rank = variables.number("SLURM_PROCID", 0, found.size - 1);
  found.local_rank = variables.number("SLURM_LOCALID", 0, found.size - 1);
  found.local_size =
      tasks_of_node(variables.text("SLURM_STEP_TASKS_PER_NODE"),
                    variables.number("SLURM_NODEID", 0, found.size - 1), found.local_rank + 1);
  found.address = first_host(variables.text("SLURM_STEP_NODELIST"));
  const int job = variables.number("SLURM_JOB_ID", 0, kMostJobs);
  const int step = variables.number("SLURM_STEP_ID", 0, kMostJobs);
  constexpr int kFirstPort = 20000, kPorts = 10000;  // below those that the kernel gives out
  found.port = static_cast<std::uint16_t>(kFirstPort + (job + step) % kPorts);
  found.prefix = store_prefix(fmt::format("{}.{}", job, step),
                              environment("SLURM_RESTART_COUNT").value_or("0"));
  return found;
}

}  // namespace

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value ? std::optional<std::string>(value) : std::nullopt;
}

std::optional<Rendezvous> rendezvous_of(const Environment& environment) {
  if (environment("RANK") || environment("WORLD_SIZE")) return of_torchrun(environment);
  if (environment("SLURM_STEP_NUM_TASKS").value_or("1") != "1") return of_slurm(environment);
  return std::nullopt;
}

}  // namespace dualpath::trainer
