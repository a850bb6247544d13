#include "trainer/train/run_log.h"

#include <cerrno>
#include <cstring>
#include <sstream>

#include "data/base/error.h"
#include "data/files/atomic_file.h"
#include "data/files/file.h"

namespace dualpath::trainer {

std::vector<nlohmann::json> read_log(const std::filesystem::path& path, std::int64_t last_step) {
  std::vector<nlohmann::json> kept;
  if (!std::filesystem::exists(path)) return kept;
  std::istringstream text(read_file(path));
  for (std::string line; std::getline(text, line);) {
    const nlohmann::json parsed = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (parsed.is_object() && parsed.value("step", last_step + 1) <= last_step)
      kept.push_back(parsed);
  }
  return kept;
}

RunLog::RunLog(const std::filesystem::path& path, std::int64_t resumed_step)
    : path_(path), last_(nlohmann::json::object()), file_(nullptr, std::fclose) {
  std::string text;
  for (const nlohmann::json& line : read_log(path, resumed_step)) {
    text += line.dump() + "\n";
    last_ = line;
  }
  write_file(path, text);
  file_.reset(std::fopen(path.c_str(), "a"));
  if (!file_) throw Error("{}: cannot open: {}", path.string(), std::strerror(errno));
}

void RunLog::write(const nlohmann::json& line) {
  const std::string text = line.dump() + "\n";
  const bool written = std::fwrite(text.data(), 1, text.size(), file_.get()) == text.size();
  if (!written || std::fflush(file_.get()) != 0) {
    throw Error("{}: cannot write: {}", path_.string(), std::strerror(errno));
  }
  last_ = line;
}

}  // namespace dualpath::trainer
