#include "trainer/media_readers.h"

#include <map>
#include <utility>

#include "data/base/error.h"

namespace dualpath::trainer {
namespace {

namespace fs = std::filesystem;
using modules::Modality;

constexpr const char *kTogether = "processor_config.json", *kAlone = "preprocessor_config.json";

/// part: "image_processor" or "feature_extractor".
data::JsonObject config_of(const fs::path& model, const std::string& part) {
  if (fs::exists(model / kTogether)) {
    const auto config = data::JsonObject::read(model / kTogether);
    if (const auto found = config.object_if(part)) return *found;
  }
  if (fs::exists(model / kAlone)) {
    const auto config = data::JsonObject::read(model / kAlone);
    if (config.contains(part + "_type")) return config;
  }
  throw Error("{}: expected {} with \"{}\", or {} with \"{}_type\"", model.string(), kTogether,
              part, kAlone, part);
}

/// What a tower makes of samples of each size, found once.
class CountedTokens {
 public:
  CountedTokens(const modules::Network& network, Modality modality)
      : network_(network), modality_(modality) {}

  template <class Size>
  std::int64_t of(const Size& size, const modules::Stream& sample) {
    const auto [count, is_new] = counts_.try_emplace(key(size), 0);
    if (is_new) count->second = modules::hidden_states(network_, modality_, sample);
    return count->second;
  }

 private:
  using Key = std::pair<std::int64_t, std::int64_t>;
  static Key key(data::ImageGrid grid) { return {grid.rows, grid.columns}; }
  static Key key(std::int64_t frames) { return {frames, 0}; }

  const modules::Network& network_;
  Modality modality_;
  std::map<Key, std::int64_t> counts_;
};

}  // namespace
}  // namespace dualpath::trainer
