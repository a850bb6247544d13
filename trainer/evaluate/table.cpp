#include "trainer/evaluate/table.h"

#include <algorithm>

#include "trainer/evaluate/row.h"

namespace dualpath::trainer {
namespace {

const RowSums* sums_named(const std::vector<RowSums>& rows, const char* name) {
  const auto found = std::ranges::find(rows, name, &RowSums::name);
  return found == rows.end() ? nullptr : &*found;
}

}  // namespace

std::vector<RowFigures> figures_of(const std::vector<Row>& rows, const std::vector<RowSums>& sums,
                                   std::int64_t bootstrap_samples, std::uint64_t seed) {
  const RowSums *fp = sums_named(sums, kFp), *quantized = sums_named(sums, kQuantized);
  std::vector<RowFigures> figures;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Metrics metrics = metrics_of(sums[i]);
    RowFigures row{.name = rows[i].name,
                   .perplexity = metrics.perplexity,
                   .accuracy = metrics.accuracy,
                   .bytes = rows[i].bytes,
                   .tokens = metrics.tokens};
    if (fp) {
      row.kl = metrics.kl;
      row.agreement = metrics.agreement;
      if (rows[i].recovers)
        row.recovery = recovery(*fp, *quantized, sums[i], bootstrap_samples, seed);
    }
    figures.push_back(std::move(row));
  }
  return figures;
}

}  // namespace dualpath::trainer
