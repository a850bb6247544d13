#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "data/base/generator.h"
#include "data/files/checksum.h"
#include "tests/support/catch.h"
#include "tests/support/child_process.h"
#include "tests/support/full_disk.h"
#include "tests/support/plain_file.h"
#include "tests/support/system_calls.h"
#include "tests/tools/tiny_run.h"

using namespace dualpath;
using namespace dualpath::testing;
using Catch::Contains;
using Catch::StartsWith;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

using Names = std::vector<std::string>;

const Arguments kBlockwise{"--set", "train.strategy=blockwise"};

/// A run that was never stopped, up to and with the command `last`. Made once.
const TinyRun& unbroken(const std::string& last, const Arguments& more = {}) {
  static std::map<std::pair<std::string, Arguments>, TinyRun> runs;
  const auto [entry, made_now] = runs.try_emplace({last, more});
  for (const std::string command : {"train", "evaluate", "export"}) {
    if (!made_now) break;
    entry->second.done(command, more);
    if (command == last) break;
  }
  return entry->second;
}

/// The files that one of the two lacks or that differ, temporaries included.
Names differing_files(const TinyRun& a, const TinyRun& b) {
  auto x = a.results();
  const auto y = b.results();
  for (const auto& [name, content] : y) {
    const auto found = x.find(name);
    if (found != x.end() && found->second == content) {
      x.erase(found);
    } else {
      x[name] = content;
    }
  }
  Names names;
  for (const auto& [name, content] : x) names.push_back(name);
  return names;
}

Names temporaries(const TinyRun& run) {
  Names names;
  for (const auto& entry : fs::recursive_directory_iterator(run.path())) {
    const std::string name = fs::relative(entry.path(), run.path()).string();
    if (name.find(".tmp-") != name.npos) names.push_back(name);
  }
  return names;
}

/// Kills a command at a failpoint, starts it again and compares with the unbroken run.
void check_survives(const TinyRun& run, const std::string& command, const std::string& failpoint,
                    const Arguments& more = {}) {
  INFO(command << " " << failpoint);
  REQUIRE(run.run(command, more, failpoint + "=kill").signal == SIGKILL);
  run.done(command, more);
  CHECK(differing_files(run, unbroken(command, more)) == Names{});
  CHECK(temporaries(run) == Names{});
}

/// Settings for a run that is long enough to be met in the middle. It saves only at the end, or
/// when stopped.
const Arguments kLong{"--set", "train.max_steps=120",  "--set", "train.save_steps=1000",
                      "--set", "train.logging_steps=1"};

}  // namespace

TEST_CASE("a calibration or training killed anywhere goes on to the same bytes",
          "[tools][interruption]") {
  const std::string failpoint =
      GENERATE("calibrate.window:5", "train.step", "train.step:4", "train.step:8",  // in 8 steps
               "control.start", "train.step:9", "train.step:13",  // in 8 further steps
               "atomic_file.write:60", "atomic_file.fsync:2", "atomic_file.fsync:25",
               "atomic_file.rename:1", "atomic_file.rename:3", "atomic_file.rename:4",
               "atomic_file.rename:17", "atomic_file.done:30", "atomic_directory.fsync:1",
               "atomic_directory.rename:7", "atomic_directory.done:4", "atomic_directory.done:8");
  const TinyRun run;
  check_survives(run, "train", failpoint);
}

TEST_CASE("a blockwise training killed anywhere goes on to the same bytes",
          "[tools][interruption]") {
  const std::string failpoint =
      GENERATE("train.step", "train.step:8", "train.step:9", "train.step:21",  // 8 steps a block
               "blocks.advance", "blocks.advance:2", "atomic_file.rename:17",
               "atomic_directory.rename:7", "atomic_directory.done:4");
  const TinyRun run;
  check_survives(run, "train", failpoint, kBlockwise);
}

TEST_CASE("a damaged block is trained again, to the same bytes", "[tools][interruption]") {
  const TinyRun& whole = unbroken("train", kBlockwise);
  const TinyRun run;
  run.copy_results(whole);
  for (const auto& checkpoint : fs::directory_iterator(run / "run/blocks/1")) {
    if (checkpoint.is_directory()) write_plain(checkpoint.path() / "trained.safetensors", "damage");
  }
  CHECK_THAT(run.run("evaluate", kBlockwise).err, Contains("no whole checkpoint is left"));
  const ProgramEnd end = run.done("train", kBlockwise);
  CHECK_THAT(end.err, Contains("run/blocks/1: no whole checkpoint is left; it begins anew"));
  CHECK(differing_files(run, whole) == Names{});
}

TEST_CASE("an evaluation killed anywhere gives the same figures", "[tools][interruption]") {
  const std::string failpoint = GENERATE("evaluate.batch:1", "evaluate.batch:4",
                                         "atomic_file.rename:1", "atomic_file.done:1");
  const TinyRun run;
  run.copy_results(unbroken("train"));
  check_survives(run, "evaluate", failpoint);
}

TEST_CASE("an export killed anywhere is not there or whole, and comes out the same",
          "[tools][interruption]") {
  const std::string failpoint =
      GENERATE("export.weight:20", "atomic_file.rename:4", "atomic_directory.fsync",
               "atomic_directory.rename", "atomic_directory.done");
  const TinyRun run;
  run.copy_results(unbroken("evaluate"));
  SECTION("the first") { check_survives(run, "export", failpoint); }
  SECTION("in place of an older one") {
    run.done("export");
    write_plain(run / "export/older", "");
    auto description = nlohmann::json::parse(read_file(run / "export/dualpath.json"));
    description["sha256"]["older"] = sha256_file(run / "export/older");
    write_plain(run / "export/dualpath.json", description.dump());
    REQUIRE(run.run("export", {}, failpoint + "=kill").signal == SIGKILL);
    const bool replaced = failpoint == "atomic_directory.done";
    CHECK(fs::exists(run / "export/older") != replaced);
    run.done("export");
    CHECK(differing_files(run, unbroken("export")) == Names{});
    CHECK(temporaries(run) == Names{});
  }
}

TEST_CASE("commands killed again and again at random moments end with the same bytes",
          "[tools][interruption]") {
  Generator random(11);
  const TinyRun run;
  for (const char* command : {"train", "train", "calibrate", "train", "train", "evaluate", "train",
                              "train", "export", "evaluate", "train", "export"}) {
    RunningProgram running(run.program(command));
    std::this_thread::sleep_for(200ms + random.uniform() * 400ms);
    running.send(SIGKILL);
    running.wait();
  }
  for (const char* command : {"train", "evaluate", "export"}) run.done(command);
  CHECK(differing_files(run, unbroken("export")) == Names{});
  CHECK(temporaries(run) == Names{});
}

TEST_CASE("Ctrl-C and SIGTERM finish the step, save, and lose nothing", "[tools][interruption]") {
  const auto [signal, log, label] = GENERATE(table<int, std::string, std::string>({
      {SIGINT, "run/log.jsonl", "train"},
      {SIGTERM, "run/control/log.jsonl", "control"},
  }));
  static const TinyRun whole;
  if (!fs::exists(whole / "run")) whole.done("train", kLong);

  const TinyRun run;
  RunningProgram training(run.program("train", kLong));
  wait_for(run / log);
  training.send(signal);
  const ProgramEnd end = training.wait();
  CHECK(end.code == 130);
  CHECK_THAT(end.err, Contains("dualpath: " + label + ": interrupted after step ") &&
                          Contains(" of 120; the same command goes on from run/"));
  run.done("train", kLong);

  // The unbroken run saved nothing on the way, so it has one checkpoint less.
  for (const auto& [name, content] : whole.results()) CHECK(run.results()[name] == content);
}

TEST_CASE("a second run on the same directory is refused while the first one lives",
          "[tools][interruption]") {
  const TinyRun run;
  const Arguments endless{"--set", "train.max_steps=1000000"};
  RunningProgram first(run.program("train", endless));
  wait_for(run / "run/log.jsonl");
  for (const char* command : {"calibrate", "train", "evaluate", "export"}) {
    const ProgramEnd second = run.run(command, endless);
    CHECK(second.code == 1);
    CHECK(second.err == "dualpath: run: another dualpath run (pid " + std::to_string(first.pid()) +
                            ") is using this directory\n");
  }
  first.send(SIGKILL);
  first.wait();
  CHECK(run.run("calibrate", endless).code == 0);
}

TEST_CASE("the program chooses how OpenMP's threads wait, unless the user has",
          "[tools][threads]") {
  const auto [own, expected] = GENERATE(table<std::string, std::string>(
      {{"ANOTHER=1", "GOMP_SPINCOUNT=3000"}, {"GOMP_SPINCOUNT=7", "GOMP_SPINCOUNT=7"}}));
  const TinyRun run;
  Program program = run.program("train", {"--set", "train.max_steps=1000000"});
  program.environment[own.substr(0, own.find('='))] = own.substr(own.find('=') + 1);
  const RunningProgram running(program);
  wait_for(run / "run/log.jsonl");
  const fs::path process = fs::path("/proc") / std::to_string(running.pid());
  CHECK_THAT(read_file(process / "environ"), Contains(expected));
  CHECK(read_file(process / "comm") == "dualpath\n");
}

TEST_CASE("a checkpoint is written, fsynced, renamed into place, and its directory fsynced",
          "[tools][interruption]") {
  const TinyRun run;
  const auto calls = traced_calls(
      "sh -c 'cd " + run.path().string() + " && " + DUALPATH_PROGRAM + " train recipe.yaml'",
      run / "trace");
  if (calls.empty()) {
    WARN("SKIP: strace cannot run here");
    return;
  }
  const std::size_t rename = find_call(calls, 0, "rename", "\"run/checkpoint-2\"");
  REQUIRE(rename < calls.size());
  for (const char* file : {"trained.safetensors", "optimizer.safetensors", "state.json"}) {
    INFO(file);
    const std::string temporary = std::string("/") + file + ".tmp-";
    const std::size_t write = find_call(calls, 0, "pwrite64", temporary);
    const std::size_t sync = find_call(calls, write, "fsync", temporary);
    const std::size_t named = find_call(calls, sync, "rename", temporary);
    const std::size_t sync_again = find_call(calls, named, "fsync", std::string("/") + file + ">");
    CHECK(write < sync);
    CHECK(sync < named);
    CHECK(named < sync_again);
    CHECK(sync_again < rename);
  }
  const std::size_t sync_parent = find_call(calls, rename, "fsync", "/run>");
  CHECK(sync_parent < find_call(calls, rename, "rename", "\"run/checkpoint-4\""));
}

TEST_CASE("a disk that is full during a checkpoint leaves the last good one, from which it goes on",
          "[tools][interruption]") {
  constexpr std::size_t kDisk = 160 * 1024;  // two of the checkpoints, 50 kB each, fit
  constexpr int kNotPermitted = 77;
  const TinyRun run;
  fs::create_directory(run / "run");
  const ChildEnd child = in_child([&] {
    if (!mount_tiny_disk(run / "run", kDisk)) return kNotPermitted;
    const ProgramEnd end = run.run("train");
    write_plain(run / "err", end.err);
    fs::copy(run / "run", run / "copy", fs::copy_options::recursive);  // the disk goes with us
    return end.code;
  });
  if (child.code == kNotPermitted) {
    WARN("SKIP: a tiny file system cannot be mounted here");
    return;
  }
  CHECK(child.code == 1);
  CHECK_THAT(read_file(run / "err"),
             Contains("dualpath: run/checkpoint-6.tmp-") && Contains("No space left on device"));
  fs::remove(run / "run");
  fs::rename(run / "copy", run / "run");
  CHECK(fs::exists(run / "run/checkpoint-4"));
  CHECK_FALSE(fs::exists(run / "run/checkpoint-6"));
  run.done("train");
  CHECK(differing_files(run, unbroken("train")) == Names{});
}
