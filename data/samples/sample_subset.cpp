#include "data/samples/sample_subset.h"

#include <span>

namespace dualpath::data {

void SampleSubset::update(Sha256& hash) const {
  whole_.update(hash);
  hash.update(std::as_bytes(std::span(numbers_)));
}

}  // namespace dualpath::data
