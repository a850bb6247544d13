#include "tests/support/vector_target.h"

#include <hwy/highway.h>

namespace dualpath::testing {
namespace {

/// Restricts Highway to a target; 0: to none but the processor's.
void support_only(std::int64_t target) {
  hwy::SetSupportedTargetsForTest(target);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace

std::vector<std::int64_t> vector_targets() { return hwy::SupportedAndGeneratedTargets(); }

VectorTarget::VectorTarget(std::int64_t target) : name(hwy::TargetName(target)) {
  support_only(target);
}

VectorTarget::~VectorTarget() { support_only(0); }

}  // namespace dualpath::testing
