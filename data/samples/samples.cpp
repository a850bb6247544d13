#include "data/samples/samples.h"

namespace dualpath::data {

Batch Samples::batch(std::span<const std::size_t> chosen) const {
  std::vector<TokenSpan> texts;
  std::vector<const MediaFiles*> files;
  for (const std::size_t number : chosen) {
    const Sample sample = this->sample(number);
    texts.push_back(sample.tokens);
    files.push_back(sample.files);
  }
  return readers() == nullptr ? make_batch(texts) : make_batch(texts, files, *readers());
}

void WindowSamples::update(Sha256& hash) const {
  for (std::size_t i = 0; i < windows_.size(); ++i) hash.update(std::as_bytes(windows_[i].ids));
  for (std::size_t i = 0; i < windows_.size(); ++i) hash.update(std::as_bytes(windows_[i].targets));
}

}  // namespace dualpath::data
