#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace dualpath::testing {

/// The kinds of vectors that Highway's kernels were compiled for and this processor has.
std::vector<std::int64_t> vector_targets();

/// Makes kernels run, while it lives, as on a processor whose best vectors are the target's.
class VectorTarget {
 public:
  explicit VectorTarget(std::int64_t target);
  ~VectorTarget();
  VectorTarget(const VectorTarget&) = delete;
  VectorTarget& operator=(const VectorTarget&) = delete;

  const std::string name;
};

}  // namespace dualpath::testing
