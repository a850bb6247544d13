#include "data/samples/blended_samples.h"

#include <algorithm>
#include <utility>

namespace dualpath::data {

BlendedSamples::BlendedSamples(std::vector<Source> sources)
    : sources_(std::move(sources)), begins_{0} {
  for (const Source& source : sources_) begins_.push_back(begins_.back() + source.samples->size());
}

BlendedSamples::Place BlendedSamples::place(std::size_t sample) const {
  const auto behind = std::ranges::upper_bound(begins_, sample);
  const auto source = static_cast<std::size_t>(behind - begins_.begin()) - 1;
  return {*sources_.at(source).samples, sample - begins_[source]};
}

std::int64_t BlendedSamples::targets(std::size_t sample) const {
  const auto [source, number] = place(sample);
  return source.targets(number);
}

Sample BlendedSamples::sample(std::size_t number) const {
  const auto [source, own] = place(number);
  return source.sample(own);
}

std::vector<SampleGroup> BlendedSamples::groups() const {
  std::vector<SampleGroup> groups;
  for (const Source& source : sources_) groups.push_back({source.samples->size(), source.ratio});
  return groups;
}

void BlendedSamples::update(Sha256& hash) const {
  for (const Source& source : sources_) {
    hash.update(std::as_bytes(std::span(&source.ratio, 1)));
    source.samples->update(hash);
  }
}

}  // namespace dualpath::data
