#include <chrono>
#include <cmath>
#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "data/base/generator.h"
#include "tests/support/catch.h"
#include "tests/support/child_process.h"
#include "tests/support/free_port.h"
#include "tests/support/full_disk.h"
#include "tests/support/plain_file.h"
#include "tests/tools/tiny_run.h"

using namespace dualpath;
using namespace dualpath::testing;
using Catch::Contains;
using Catch::StartsWith;
using namespace std::chrono_literals;
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

const Arguments kTwo{"--processes", "2"};

Arguments operator+(Arguments left, const Arguments& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

Arguments processes(int count) { return {"--processes", std::to_string(count)}; }

/// One of two processes as torchrun would start it, without torchrun.
Program of_two(const TinyRun& run, int rank, int port, const Arguments& more = {},
               const std::string& command = "train") {
  Program program = run.program(command, more);
  program.environment = {
      {"RANK", std::to_string(rank)},       {"WORLD_SIZE", "2"},
      {"LOCAL_RANK", std::to_string(rank)}, {"LOCAL_WORLD_SIZE", "2"},
      {"MASTER_ADDR", "127.0.0.1"},         {"MASTER_PORT", std::to_string(port)}};
  return program;
}

/// The children of a process, in the order of their ranks.
std::vector<pid_t> children_of(pid_t parent) {
  const std::string id = std::to_string(parent);
  std::istringstream list(read_file("/proc/" + id + "/task/" + id + "/children"));
  std::vector<pid_t> children;
  for (pid_t child = 0; list >> child;) children.push_back(child);
  return children;
}

/// The results of two runs but for what later processes say.
bool are_same(const TinyRun& a, const TinyRun& b) {
  auto x = a.results(), y = b.results();
  for (auto* results : {&x, &y})
    std::erase_if(*results, [](const auto& file) { return file.first.ends_with(".log"); });
  return x == y;
}

}  // namespace

TEST_CASE("one, two and three processes calibrate to the same bytes", "[tools][processes]") {
  const std::string observer = GENERATE("minmax", "moving_average");
  const Arguments settings{"--set",
                           "quantize.config_groups.default.input_activations.observer=" + observer,
                           "--set", "quantize.smoothing={search: true}"};
  const TinyRun alone;
  alone.done("calibrate", settings);
  const std::string expected = read_file(alone / "run/calibration.safetensors");
  for (const int count : {2, 3, 8}) {  // of 6 windows: some processes have nothing to do
    INFO(count);
    const TinyRun run;
    const ProgramEnd end = run.done("calibrate", settings + processes(count));
    CHECK(read_file(run / "run/calibration.safetensors") == expected);
    CHECK_THAT(end.out, Contains("written to"));
    CHECK(fs::exists(run / ("run/process-" + std::to_string(count - 1) + ".log")));
  }
}

TEST_CASE("two processes follow one at twice the batch", "[tools][processes]") {
  // Float gradients: a code of an INT8 one may flip by the order of a sum.
  const Arguments settings{"--set", "train.max_steps=20",
                           "--set", "train.logging_steps=1",
                           "--set", "train.save_steps=1000",
                           "--set", "train.input_gradients=float",
                           "--set", "train.learning_rate.norm_weights=1e-3",
                           "--set", "train.gradient_accumulation_steps=2",
                           "--set", "train.control=false"};
  const TinyRun one, two;
  one.done("train", settings + Arguments{"--set", "train.per_device_train_batch_size=4"});
  two.done("train", settings + kTwo);
  const std::vector<double> expected = losses_in(one), losses = losses_in(two);
  REQUIRE(losses.size() == 20);
  for (std::size_t i = 0; i < losses.size(); ++i)
    CHECK(losses[i] == Approx(expected[i]).epsilon(1e-4));
}

TEST_CASE(
    "an optimizer whose state is divided takes the same steps, and any number goes on from it",
    "[tools][processes]") {
  const Arguments weights{"--set", "train.learning_rate={weights: 1e-4, norm_weights: 1e-4}",
                          "--set", "train.max_steps=6"};
  const Arguments divided{"--set", "train.shard_optimizer=true"};
  const TinyRun whole, parts, resumed;
  whole.done("train", weights + kTwo);
  parts.done("train", weights + kTwo + divided);
  for (const char* file :
       {"run/checkpoint-6/trained.safetensors", "run/checkpoint-6/optimizer.safetensors"})
    CHECK(read_file(parts / file) == read_file(whole / file));

  CHECK(resumed.run("train", weights + kTwo + divided, "train.step:4=error").code == 1);
  resumed.done("train", weights + processes(3) + divided);
  CHECK(losses_in(resumed).size() == losses_in(whole).size());
}

TEST_CASE("a table of two processes is one's", "[tools][processes]") {
  const TinyRun run;
  run.done("train");
  const json one = json::parse(run.done("evaluate", {"--json"}).out);
  const json two = json::parse(run.done("evaluate", Arguments{"--json"} + kTwo).out);
  CHECK(one.at("sets") == two.at("sets"));
}

TEST_CASE("two processes killed and started again end as two that were not", "[tools][processes]") {
  const Arguments settings =
      kTwo + Arguments{"--set", "train.max_steps=60", "--set", "train.save_steps=7"};
  static const TinyRun unbroken;
  if (!fs::exists(unbroken / "run")) unbroken.done("train", settings);
  const std::size_t victim = GENERATE(0, 1);
  Generator random(17 + victim);
  const TinyRun run;
  int kills = 0;
  for (int i = 0; i < 3; ++i) {
    fs::remove(run / "run/process-1.log");
    RunningProgram training(run.program("train", settings));
    wait_for(run / "run/process-1.log");  // the two have met
    const std::vector<pid_t> ranks = children_of(training.pid());
    std::this_thread::sleep_for(random.uniform() * 800ms);
    if (victim < ranks.size()) ::kill(ranks[victim], SIGKILL);
    const ProgramEnd end = training.wait();
    INFO(end.err);
    CHECK((end.code == 1 || end.code == 0));
    if (end.code == 0) continue;  // it was done before
    ++kills;
    CHECK_THAT(end.err, Contains("process " + std::to_string(victim) + " of 2") &&
                            Contains("killed by signal 9"));
  }
  CHECK(kills > 0);
  run.done("train", settings);
  CHECK(are_same(run, unbroken));
}

TEST_CASE("SIGTERM stops all processes at one step, and another number of them goes on",
          "[tools][processes]") {
  const TinyRun run;
  const Arguments settings{"--set", "train.max_steps=400",   "--set", "train.save_steps=1000",
                           "--set", "train.logging_steps=1", "--set", "train.control=false"};
  RunningProgram training(run.program("train", settings + kTwo));
  wait_for(run / "run/log.jsonl");
  training.send(SIGTERM);
  const ProgramEnd end = training.wait();
  CHECK(end.code == 130);
  CHECK_THAT(end.err, Contains("dualpath: train: interrupted after step "));
  const ProgramEnd more = run.done("train", settings);
  CHECK_THAT(read_file(run / "run/report.json"), !Contains("\"resumed_from\": 0"));
}

TEST_CASE("a terminal's Ctrl-C reaches launcher and processes, and saves once",
          "[tools][processes]") {
  const TinyRun run;
  Program program = run.program(
      "train", kTwo + Arguments{"--set", "train.max_steps=400", "--set", "train.save_steps=1000",
                                "--set", "train.logging_steps=1", "--set", "train.control=false"});
  program.arguments.insert(program.arguments.begin(), "/usr/bin/setsid");  // a group of its own
  RunningProgram training(program);
  wait_for(run / "run/log.jsonl");
  ::kill(-training.pid(), SIGINT);
  const ProgramEnd end = training.wait();
  CHECK(end.code == 130);
  CHECK_THAT(end.err, Contains("dualpath: train: interrupted after step "));
}

TEST_CASE("a process that is lost while the others connect is named", "[tools][processes]") {
  const TinyRun run;
  const ProgramEnd end = run.run("train", kTwo, "processes.connect.1=kill");
  CHECK(end.code == 1);
  CHECK_THAT(end.err, Contains("process 1 of 2") && Contains("killed by signal 9"));
}

TEST_CASE(
    "a disk that fails during a checkpoint stops all processes, and the run goes on from before",
    "[tools][processes]") {
  constexpr int kNotPermitted = 77;
  const Arguments settings =
      kTwo + Arguments{"--set", "train.max_steps=400", "--set", "train.save_steps=5",
                       "--set", "train.control=false"};
  const TinyRun run;
  std::string expected;
  ChildEnd child{};
  SECTION("it is full") {
    expected = "No space left on device";
    fs::create_directory(run / "run");
    child = in_child([&] {
      constexpr std::size_t kDisk = 160 * 1024;  // two of the checkpoints fit
      if (!mount_tiny_disk(run / "run", kDisk)) return kNotPermitted;
      const ProgramEnd end = run.run("train", settings);
      write_plain(run / "err", end.err);
      fs::copy(run / "run", run / "copy", fs::copy_options::recursive);  // the disk goes with us
      return end.code;
    });
    fs::remove(run / "run");
    if (fs::exists(run / "copy")) fs::rename(run / "copy", run / "run");
  }
  SECTION("it becomes read-only") {
    expected = "Read-only file system";
    child = in_child([&] {
      if (!have_own_mounts()) return kNotPermitted;
      RunningProgram training(run.program("train", settings));
      wait_for(run / "run/checkpoint-5/state.json");
      if (!make_read_only(run / "run")) return kNotPermitted;
      const ProgramEnd end = training.wait();
      write_plain(run / "err", end.err);
      return end.code;
    });
  }
  SECTION("it is gone") {
    expected = "No such file or directory";
    child = in_child([&] {
      RunningProgram training(run.program("train", settings));
      wait_for(run / "run/checkpoint-5/state.json");
      fs::rename(run / "run", run / "away");
      const ProgramEnd end = training.wait();
      write_plain(run / "err", end.err);
      fs::rename(run / "away", run / "run");
      return end.code;
    });
  }
  if (child.code == kNotPermitted) {
    WARN("SKIP: a file system cannot be mounted here");
    return;
  }
  CHECK(child.code == 1);
  CHECK_THAT(read_file(run / "err"), Contains("dualpath: ") && Contains(expected));
  for (const auto& entry : fs::directory_iterator(run / "run"))
    CHECK_THAT(entry.path().filename().string(), !Contains(".tmp-"));
  run.done("train", settings + Arguments{"--set", "train.save_steps=1000"});
  CHECK_THAT(read_file(run / "run/report.json"), !Contains("\"resumed_from\": 0"));
}

TEST_CASE("two runs of two processes do not share a directory", "[tools][processes]") {
  const TinyRun run;
  const Arguments endless{"--set", "train.max_steps=1000000"};
  RunningProgram first(run.program("train", endless + kTwo));
  wait_for(run / "run/log.jsonl");
  const ProgramEnd second = run.run("train", endless + kTwo);
  CHECK(second.code == 1);
  CHECK_THAT(second.err, Contains("dualpath: run: another dualpath run (pid ") &&
                             Contains("is using this directory"));
  first.send(SIGTERM);
  CHECK(first.wait().code == 130);
}

TEST_CASE("a damaged checkpoint is passed over by all processes", "[tools][processes]") {
  const TinyRun whole, run;
  for (const TinyRun* each : {&whole, &run}) each->done("train", kTwo);
  fs::resize_file(run / "run/checkpoint-8/trained.safetensors", 100);
  const ProgramEnd end = run.done("train", kTwo);
  CHECK_THAT(end.err, Contains("checkpoint-8") && Contains("trying the checkpoint before it"));
  CHECK(are_same(run, whole));
}

TEST_CASE("what one process meets stops all, and the first says which", "[tools][processes]") {
  const TinyRun run;
  Arguments others;
  std::string expected;
  SECTION("another recipe") {
    others = {"--set", "seed=7"};
    expected = "has another recipe than process 0: \"seed: 0\" there, \"seed: 7\" here";
  }
  SECTION("another text") {
    others = {"--set", "data.train=other.jsonl"};
    expected = "has another text than process 0";
  }
  SECTION("no model") {
    others = {"--set", "model.path=nowhere"};
    expected = "nowhere: no such model";
  }
  const int port = free_port();
  RunningProgram first(of_two(run, 0, port));
  const ProgramEnd second = run_program(of_two(run, 1, port, others));
  const ProgramEnd end = first.wait();
  CHECK(second.code == 1);
  CHECK(end.code == 1);
  CHECK_THAT(end.err, Contains("process 1 ") && Contains(expected));
}

TEST_CASE("a process that never comes is named, and so is a store that cannot be reached",
          "[tools][processes]") {
  const TinyRun run;
  const Arguments soon{"--timeout", "2"};
  const BoundPort taken;
  const auto error = [&](int rank, int port) {
    const ProgramEnd end = run_program(of_two(run, rank, port, soon));
    CHECK(end.code == 1);
    return end.err;
  };
  CHECK_THAT(error(0, free_port()), Contains("dualpath: process 1 of 2 has not come within 2 s\n"));
  CHECK_THAT(error(1, free_port()), Contains("dualpath: process 1: the store at 127.0.0.1:") &&
                                        Contains("was not reached within 2 s"));
  CHECK_THAT(error(0, taken.number()),
             Contains("dualpath: process 0 cannot wait for the others on port"));
  CHECK_FALSE(fs::exists(run / "run"));
}

TEST_CASE("variables of a launcher that do not fit are named", "[tools][processes]") {
  const TinyRun run;
  Program program = of_two(run, 0, 1);
  const auto with = [&](const std::string& name, const std::string& value) {
    Program changed = program;
    changed.environment[name] = value;
    const ProgramEnd end = run_program(changed);
    CHECK(end.code == 1);
    return end.err;
  };
  CHECK(with("WORLD_SIZE", "") == "dualpath: torchrun's variable WORLD_SIZE is not set\n");
  CHECK(with("RANK", "2") ==
        "dualpath: torchrun's variable RANK: expected a number from 0 to 1, got 2\n");
  CHECK(with("MASTER_PORT", "x") ==
        "dualpath: torchrun's variable MASTER_PORT: expected a number from 1 to 65535, got x\n");
  const ProgramEnd three = run_program(of_two(run, 0, 1, {"--processes", "3"}));
  CHECK(three.code == 2);
  CHECK(three.err == "dualpath: --processes 3: a launcher has started 2 already\n");
}

TEST_CASE("torchrun starts the processes", "[tools][processes]") {
  const TinyRun alone, run;
  alone.done("calibrate");
  Program program = run.program("calibrate");
  program.arguments.insert(program.arguments.begin(),
                           {DUALPATH_PYTHON, "-m", "torch.distributed.run", "--no-python",
                            "--nproc-per-node", "2", "--master-port", std::to_string(free_port())});
  const ProgramEnd end = run_program(program);
  INFO(end.err);
  CHECK(end.code == 0);
  CHECK(read_file(run / "run/calibration.safetensors") ==
        read_file(alone / "run/calibration.safetensors"));
}

TEST_CASE("torchrun restarts a run whose process was killed, and it ends as an unbroken one",
          "[tools][processes]") {
  const Arguments settings{"--set", "train.max_steps=60", "--set", "train.save_steps=7"};
  const TinyRun unbroken, run;
  unbroken.done("train", settings + kTwo);
  Program program = run.program("train", settings);
  program.arguments.insert(
      program.arguments.begin(),
      {DUALPATH_PYTHON, "-m", "torch.distributed.run", "--no-python", "--nproc-per-node", "2",
       "--max-restarts", "2", "--master-port", std::to_string(free_port())});
  RunningProgram training(program);
  wait_for(run / "run/log.jsonl");
  const std::vector<pid_t> ranks = children_of(training.pid());
  REQUIRE(ranks.size() == 2);
  ::kill(ranks[1], SIGKILL);
  const ProgramEnd end = training.wait();
  INFO(end.err);
  CHECK(end.code == 0);
  CHECK_THAT(end.err, Contains("failed (exitcode: -9)"));
  CHECK(are_same(run, unbroken));
}
