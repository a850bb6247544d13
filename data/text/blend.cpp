#include "data/text/blend.h"

#include <string>

#include "data/base/error.h"
#include "data/formats/json.h"
#include "data/formats/known_keys.h"

namespace dualpath::data {
namespace {

constexpr IntegerRange kRatios{.low = 1, .high = 1000};

bool is_blend(const std::filesystem::path& path) {
  return path.filename().string().ends_with(".blend.json");
}

BlendSource source_of(const JsonObject& source, const std::filesystem::path& directory) {
  refuse_unknown_keys(source, {"path", "ratio"});
  const std::filesystem::path path = source.string("path");
  if (is_blend(path)) throw Error("{}: path: expected data, got another blend", source.where());
  return {directory / path, source.integer_or("ratio", 1, kRatios)};
}

std::vector<JsonObject> listed_objects(const std::filesystem::path& path) {
  const JsonObject blend = JsonObject::read(path);
  refuse_unknown_keys(blend, {"sources"});
  std::vector<JsonObject> sources = blend.objects("sources");
  if (sources.empty()) throw Error("{}: sources: expected at least one", path.string());
  return sources;
}

}  // namespace

std::vector<BlendSource> blend_sources(const std::filesystem::path& path) {
  if (!is_blend(path)) return {{path}};
  std::vector<BlendSource> sources;
  for (const JsonObject& source : listed_objects(path))
    sources.push_back(source_of(source, path.parent_path()));
  return sources;
}

std::vector<std::filesystem::path> listed_sources(const std::filesystem::path& path) {
  if (!is_blend(path)) return {path};
  std::vector<std::filesystem::path> sources;
  for (const JsonObject& source : listed_objects(path)) {
    if (source.contains("ratio")) {
      throw Error("{}: ratio: expected none, since all samples are read once here", source.where());
    }
    sources.push_back(source_of(source, path.parent_path()).path);
  }
  return sources;
}

}  // namespace dualpath::data
