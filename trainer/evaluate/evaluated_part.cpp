#include "trainer/evaluate/evaluated_part.h"

#include <numeric>

namespace dualpath::trainer {

std::vector<EvaluatedPart> parts_of(const data::Samples& set, bool has_towers) {
  std::vector<std::size_t> all(set.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  if (!has_towers) return {{"", data::SampleSubset(set, std::move(all))}};
  std::vector<EvaluatedPart> parts;
  for (const char* modality : {"text", "image", "audio", "image and audio"}) {
    std::vector<std::size_t> numbers;
    for (const std::size_t i : all) {
      const data::MediaFiles* files = set.sample(i).files;
      if (data::kind_of(files ? *files : data::MediaFiles()) == modality) numbers.push_back(i);
    }
    if (!numbers.empty()) parts.push_back({modality, data::SampleSubset(set, std::move(numbers))});
  }
  return parts;
}

}  // namespace dualpath::trainer
