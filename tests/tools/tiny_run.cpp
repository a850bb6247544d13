#include "tests/tools/tiny_run.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "data/base/generator.h"
#include "tests/support/comparable.h"
#include "tests/support/plain_file.h"

namespace dualpath::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kRecipe = R"(model: {path: model, dtype: float32}
data: {train: book.jsonl, out_of_domain: other.jsonl, window: 32}
quantize: {calibration: {num_samples: 6}}
correction: {reduction: 8}
train: {output_dir: run, max_steps: 8, save_steps: 2, logging_steps: 3}
evaluate: {num_tokens: 300, bootstrap_samples: 100}
export: {output_dir: export}
device: cpu
num_threads: 1
)";

std::string words(Generator& generator, int count) {
  const std::vector<std::string> kWords{"the",   "a",     "quantized", "model", "reads",  "text",
                                        "token", "layer", "rounds",    "and",   "learns", "what"};
  std::string text;
  for (int i = 0; i < count; ++i) text += kWords[generator.below(kWords.size())] + " ";
  return text;
}

void write_book(const fs::path& path, std::uint64_t seed) {
  Generator generator(seed);
  std::string lines;
  for (int i = 0; i < 10; ++i) lines += json{{"text", words(generator, 120)}}.dump() + "\n";
  write_plain(path, lines);
}

}  // namespace

TinyRun::TinyRun(const std::string& model, const std::string& script) {
  fs::create_directory_symlink(fs::absolute("build/reference") / script / model, *this / "model");
  write_book(*this / "book.jsonl", 1);
  write_book(*this / "other.jsonl", 2);
  write_plain(*this / "recipe.yaml", kRecipe);
}

Program TinyRun::program(const std::string& command, const Arguments& more,
                         const std::string& failpoint) const {
  Program program{{DUALPATH_PROGRAM, command, "recipe.yaml"}, path()};
  program.arguments.insert(program.arguments.end(), more.begin(), more.end());
  if (!failpoint.empty()) program.environment["DUALPATH_FAILPOINT"] = failpoint;
  return program;
}

ProgramEnd TinyRun::done(const std::string& command, const Arguments& more) const {
  ProgramEnd end = run(command, more);
  INFO(command << ": " << end.err);
  REQUIRE(end.code == 0);
  return end;
}

std::map<std::string, std::string> TinyRun::results() const {
  std::map<std::string, std::string> results;
  for (const char* folder : {"run", "export"}) {
    if (!fs::exists(*this / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(*this / folder)) {
      const std::string name = entry.path().filename().string();
      if (!entry.is_regular_file() || name == ".lock" || name.starts_with("events.")) continue;
      results[fs::relative(entry.path(), path()).string()] = comparable(entry.path());
    }
  }
  return results;
}

void TinyRun::copy_results(const TinyRun& other) const {
  for (const char* folder : {"run", "export"}) {
    if (fs::exists(other / folder)) {
      fs::copy(other / folder, *this / folder, fs::copy_options::recursive);
    }
  }
}

std::vector<double> losses_in(const TinyRun& run) {
  std::istringstream log(read_file(run / "run/log.jsonl"));
  std::vector<double> losses;
  for (std::string line; std::getline(log, line);)
    losses.push_back(nlohmann::json::parse(line).at("loss"));
  return losses;
}

void wait_for(const fs::path& file) {
  for (int i = 0; i < 3000; ++i) {
    if (fs::exists(file) && fs::file_size(file) > 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  FAIL(file.string() + " did not come");
}

ProgramEnd run_dualpath(const Arguments& arguments) {
  Program program{{DUALPATH_PROGRAM}};
  program.arguments.insert(program.arguments.end(), arguments.begin(), arguments.end());
  return run_program(program);
}

}  // namespace dualpath::testing
