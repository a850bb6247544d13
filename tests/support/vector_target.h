#pragma once

#include <hwy/highway.h>

#include <cstdint>
#include <string>
#include <vector>

namespace dualpath::testing {

/// The kinds of vectors that Highway's kernels were compiled for and this processor has.
inline std::vector<std::int64_t> vector_targets() { return hwy::SupportedAndGeneratedTargets(); }

/// While it lives, kernels run as on a processor whose best vectors are the target's.
class VectorTarget {
 public:
  explicit VectorTarget(std::int64_t target) : name(hwy::TargetName(target)) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
  ~VectorTarget() {
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
  VectorTarget(const VectorTarget&) = delete;
  VectorTarget& operator=(const VectorTarget&) = delete;

  const std::string name;
};

}  // namespace dualpath::testing
