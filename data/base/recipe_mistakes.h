#pragma once

#include <string>
#include <vector>

#include "data/base/error.h"

namespace dualpath {

/// One mistake of a recipe that shows only beside a network.
struct RecipeMistake {
  std::string key;  ///< from the recipe's root: "quantize.ignore[1]"
  std::string message;
};

/// All such mistakes at once, a line "key: message" each. The reader of the recipe adds line and
/// column (trainer::refuse).
class RecipeMistakes : public UsageError {
 public:
  explicit RecipeMistakes(std::vector<RecipeMistake> mistakes);
  const std::vector<RecipeMistake>& all() const { return mistakes_; }

 private:
  std::vector<RecipeMistake> mistakes_;
};

}  // namespace dualpath
