#include "trainer/train/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "data/base/error.h"
#include "data/files/atomic_directory.h"
#include "data/files/atomic_file.h"
#include "data/files/checksum.h"
#include "data/formats/json.h"
#include "data/process/standard_streams.h"

namespace dualpath::trainer {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTrained = "trained.safetensors";
constexpr const char* kOptimizer = "optimizer.safetensors";
constexpr const char* kState = "state.json";
constexpr std::string_view kPrefix = "checkpoint-";

modules::NamedTensors read_checked(const fs::path& path, const data::JsonObject& files) {
  verify_sha256(path, files.string(path.filename().string()), kState);
  return modules::read_tensors(data::SafetensorsReader(path));
}

struct Content {
  std::string fingerprint;
  modules::NamedTensors trained, moments;
};

/// Reads a whole checkpoint. Nothing if a file is missing or damaged; `damage` and a line on stderr
/// then name the fault.
std::optional<Content> read_whole(const fs::path& checkpoint, std::string& damage) {
  try {
    const data::JsonObject state = data::JsonObject::read(checkpoint / kState);
    const data::JsonObject files = state.object("sha256");
    return Content{state.string("fingerprint"), read_checked(checkpoint / kTrained, files),
                   read_checked(checkpoint / kOptimizer, files)};
  } catch (const Error& error) {
    damage = error.what();
    write_notice(fmt::format("dualpath: {}; trying the checkpoint before it\n", damage));
    return std::nullopt;
  }
}

}  // namespace

fs::path Checkpoints::path(std::int64_t step) const {
  return directory_ / fmt::format("{}{}", kPrefix, step);
}

std::vector<std::int64_t> Checkpoints::steps() const {
  std::vector<std::int64_t> steps;
  if (!fs::exists(directory_)) return steps;
  for (const auto& entry : fs::directory_iterator(directory_)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    std::int64_t step = 0;
    const char* end = name.data() + name.size();
    const auto [parsed, error] = std::from_chars(name.data() + kPrefix.size(), end, step);
    if (error == std::errc() && parsed == end) steps.push_back(step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

void Checkpoints::save(std::int64_t step, const Optimizer& optimizer,
                       const std::string& fingerprint) const {
  processes_.on_first("checkpoint", [&] {
    write(step, optimizer, fingerprint);
    prune();
  });
}

void Checkpoints::write(std::int64_t step, const Optimizer& optimizer,
                        const std::string& fingerprint) const {
  fs::create_directories(directory_);
  AtomicDirectory checkpoint(path(step), Replace::kYes);
  modules::write_tensors(checkpoint.path() / kTrained, optimizer.parameters());
  modules::write_tensors(checkpoint.path() / kOptimizer, optimizer.state());
  const nlohmann::json state{
      {"step", step},
      {"fingerprint", fingerprint},
      {"sha256",
       {{kTrained, sha256_file(checkpoint.path() / kTrained)},
        {kOptimizer, sha256_file(checkpoint.path() / kOptimizer)}}},
  };
  write_file(checkpoint.path() / kState, state.dump(2) + "\n");
  checkpoint.commit();
}

std::int64_t Checkpoints::load_last(Optimizer& optimizer, const std::string& fingerprint) const {
  std::int64_t step = processes_.is_first() ? read_last(optimizer, fingerprint) : 0;
  step = std::stoll(processes_.broadcast("checkpoint", std::to_string(step)));
  if (step == 0 || processes_.size() == 1) return step;
  const auto parameters = processes_.broadcast("checkpoint", optimizer.parameters());
  const auto state = processes_.broadcast("checkpoint", optimizer.state());
  if (!processes_.is_first()) optimizer.load(parameters, state, "process 0's checkpoint");
  return step;
}

std::int64_t Checkpoints::read_last(Optimizer& optimizer, const std::string& fingerprint) const {
  const std::vector<std::int64_t> found = steps();
  std::string damage;
  for (auto step = found.rbegin(); step != found.rend(); ++step) {
    const auto content = read_whole(path(*step), damage);
    if (!content) continue;
    if (content->fingerprint != fingerprint) {
      throw Error("{}: made from another model, calibration or text; --restart starts anew",
                  path(*step).string());
    }
    optimizer.load(content->trained, content->moments, path(*step).string());
    return *step;
  }
  if (!damage.empty()) throw Error("{}; no whole checkpoint is left", damage);
  return 0;
}

void Checkpoints::prune() const {
  if (!processes_.is_first()) return;
  const std::vector<std::int64_t> found = steps();
  const auto kept = static_cast<std::size_t>(save_total_limit_);
  for (std::size_t i = 0; i + kept < found.size(); ++i) fs::remove_all(path(found[i]));
}

}  // namespace dualpath::trainer
