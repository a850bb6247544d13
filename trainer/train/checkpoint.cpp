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
  const Content content{step, fingerprint, optimizer.parameters(), optimizer.state()};
  processes_.on_first("checkpoint", [&] {
    write(content);
    prune();
  });
}

void Checkpoints::write(const Content& content) const {
  AtomicDirectory checkpoint(path(content.step), Replace::kYes);
  modules::write_tensors(checkpoint.path() / kTrained, content.trained);
  modules::write_tensors(checkpoint.path() / kOptimizer, content.moments);
  const nlohmann::json state{
      {"step", content.step},
      {"fingerprint", content.fingerprint},
      {"sha256",
       {{kTrained, sha256_file(checkpoint.path() / kTrained)},
        {kOptimizer, sha256_file(checkpoint.path() / kOptimizer)}}},
  };
  write_file(checkpoint.path() / kState, state.dump(2) + "\n");
  checkpoint.commit();
}

std::int64_t Checkpoints::last_whole() const {
  std::int64_t last = 0;
  std::string damage;
  for (const std::int64_t step : processes_.is_first() ? steps() : std::vector<std::int64_t>())
    if (read_whole(step, damage)) last = step;
  return std::stoll(processes_.broadcast("checkpoint", std::to_string(last)));
}

std::int64_t Checkpoints::load_last(Optimizer& optimizer, const std::string& fingerprint,
                                    NoneWhole none_whole) const {
  constexpr const char* kWhat = "checkpoint";
  const Content first = processes_.is_first() ? read_last(fingerprint, none_whole) : Content{};
  const std::int64_t step = std::stoll(processes_.broadcast(kWhat, std::to_string(first.step)));
  if (step == 0) return 0;
  const auto trained = processes_.broadcast(kWhat, first.trained);
  const auto moments = processes_.broadcast(kWhat, first.moments);
  optimizer.load(trained, moments, path(step).string());
  return step;
}

Checkpoints::Content Checkpoints::read_last(const std::string& fingerprint,
                                            NoneWhole none_whole) const {
  const std::vector<std::int64_t> found = steps();
  std::string damage;
  for (auto step = found.rbegin(); step != found.rend(); ++step) {
    auto content = read_whole(*step, damage);
    if (!content) {
      write_notice(fmt::format("dualpath: {}; trying the checkpoint before it\n", damage));
      continue;
    }
    if (content->fingerprint != fingerprint) {
      throw Error("{}: made from another model, calibration or text; --restart starts anew",
                  path(*step).string());
    }
    return std::move(*content);
  }
  if (damage.empty()) return {};
  if (none_whole == NoneWhole::kRefuse) throw Error("{}; no whole checkpoint is left", damage);
  write_notice(fmt::format("dualpath: {}: no whole checkpoint is left; it begins anew\n",
                           directory_.string()));
  return {};
}

/// Reads a whole checkpoint. Nothing if a file is missing or damaged; `damage` then names the
/// fault.
std::optional<Checkpoints::Content> Checkpoints::read_whole(std::int64_t step,
                                                            std::string& damage) const {
  const fs::path checkpoint = path(step);
  try {
    const data::JsonObject state = data::JsonObject::read(checkpoint / kState);
    const data::JsonObject files = state.object("sha256");
    return Content{step, state.string("fingerprint"), read_checked(checkpoint / kTrained, files),
                   read_checked(checkpoint / kOptimizer, files)};
  } catch (const Error& error) {
    damage = error.what();
    return std::nullopt;
  }
}

void Checkpoints::prune() const {
  if (!processes_.is_first()) return;
  const std::vector<std::int64_t> found = steps();
  const auto kept = static_cast<std::size_t>(save_total_limit_);
  for (std::size_t i = 0; i + kept < found.size(); ++i) fs::remove_all(path(found[i]));
}

}  // namespace dualpath::trainer
