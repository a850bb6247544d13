#include "trainer/processes/rendezvous.h"

#include <map>

#include "data/base/error.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;

namespace {

using Variables = std::map<std::string, std::string>;

std::optional<Rendezvous> meeting_of(const Variables& variables) {
  return rendezvous_of([&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

Variables operator|(Variables variables, const Variables& changes) {
  for (const auto& [name, value] : changes) variables[name] = value;
  return variables;
}

/// The third of four processes, two on each of two machines.
const Variables kTorchrun{{"RANK", "2"},
                          {"WORLD_SIZE", "4"},
                          {"LOCAL_RANK", "0"},
                          {"LOCAL_WORLD_SIZE", "2"},
                          {"MASTER_ADDR", "node1"},
                          {"MASTER_PORT", "29500"},
                          {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                          {"TORCHELASTIC_RUN_ID", "job7"},
                          {"TORCHELASTIC_RESTART_COUNT", "3"}};
const Variables kSlurm{{"SLURM_STEP_NUM_TASKS", "4"},
                       {"SLURM_PROCID", "3"},
                       {"SLURM_LOCALID", "1"},
                       {"SLURM_NODEID", "1"},
                       {"SLURM_STEP_TASKS_PER_NODE", "2(x2)"},
                       {"SLURM_JOB_ID", "12345"},
                       {"SLURM_STEP_ID", "2"},
                       {"SLURM_STEP_NODELIST", "gpu[07-08]"}};

}  // namespace

TEST_CASE("without a launcher's variables a process is alone", "[trainer][rendezvous]") {
  CHECK_FALSE(meeting_of({}));
  CHECK_FALSE(meeting_of({{"SLURM_STEP_NUM_TASKS", "1"}, {"SLURM_PROCID", "0"}}));
  CHECK_FALSE(meeting_of({{"SLURM_NTASKS", "8"}}));  // in a batch script, outside of srun
}

TEST_CASE("torchrun's variables say who meets where, and in which attempt",
          "[trainer][rendezvous]") {
  const Rendezvous meeting = meeting_of(kTorchrun).value();
  CHECK(meeting.rank == 2);
  CHECK(meeting.size == 4);
  CHECK(meeting.local_rank == 0);
  CHECK(meeting.local_size == 2);
  CHECK(meeting.address == "node1");
  CHECK(meeting.port == 29500);
  CHECK_FALSE(meeting.first_hosts);
  CHECK(meeting.prefix == "dualpath/job7/3");
  CHECK(meeting_of(kTorchrun | Variables{{"TORCHELASTIC_USE_AGENT_STORE", "False"}})->first_hosts);
  CHECK(meeting_of(kTorchrun | Variables{{"TORCHELASTIC_RESTART_COUNT", "4"}})->prefix !=
        meeting.prefix);
}

TEST_CASE("Slurm's variables of a step say it, too", "[trainer][rendezvous]") {
  const Rendezvous meeting = meeting_of(kSlurm).value();
  CHECK(meeting.rank == 3);
  CHECK(meeting.local_rank == 1);
  CHECK(meeting.local_size == 2);
  CHECK(meeting.address == "gpu07");
  CHECK(meeting.first_hosts);
  CHECK(meeting.prefix == "dualpath/12345.2/0");
  CHECK(meeting_of(kSlurm | Variables{{"SLURM_STEP_TASKS_PER_NODE", "3,1"},
                                      {"SLURM_PROCID", "0"},
                                      {"SLURM_LOCALID", "0"},
                                      {"SLURM_NODEID", "0"}})
            ->local_size == 3);
  const auto [nodes, first] = GENERATE(table<std::string, std::string>(
      {{"gpu7", "gpu7"}, {"a1,b[2-3]", "a1"}, {"b[12,14-20],a1", "b12"}}));
  CHECK(meeting_of(kSlurm | Variables{{"SLURM_STEP_NODELIST", nodes}})->address == first);
}

TEST_CASE("a variable that is missing or no number is named", "[trainer][rendezvous]") {
  Variables variables = kTorchrun;
  std::string expected;
  SECTION("missing") {
    variables.erase("MASTER_ADDR");
    expected = "torchrun's variable MASTER_ADDR is not set";
  }
  SECTION("one of two") {
    variables = {{"RANK", "0"}};
    expected = "torchrun's variable WORLD_SIZE is not set";
  }
  SECTION("no number") {
    variables["MASTER_PORT"] = "http";
    expected = "torchrun's variable MASTER_PORT: expected a number from 1 to 65535, got http";
  }
  SECTION("out of range") {
    variables["RANK"] = "4";
    expected = "torchrun's variable RANK: expected a number from 0 to 3, got 4";
  }
  CHECK(error_message([&] { meeting_of(variables); }) == expected);
}
