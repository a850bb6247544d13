#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/samples/samples.h"
#include "modules/network/network.h"
#include "trainer/evaluate/metrics.h"
#include "trainer/evaluate/row.h"
#include "trainer/processes/processes.h"
#include "trainer/recipe/options.h"

namespace dualpath::trainer {

/// Runs every row on the same samples. The samples are evenly spaced over the text and enough for
/// options.num_tokens scored tokens (or all there are). A sample's first token is context only.
/// rows[0] is the reference that KL, agreement and frames are measured against. Memory holds the
/// weights of one stage of one row (see modules::sweep()). Processes share the batches; each
/// returns all sums, the same as one alone finds. progress: called with a number of samples' work.
std::vector<RowSums> evaluate_rows(const modules::Network& network, const std::vector<Row>& rows,
                                   const data::Samples& samples, const EvaluateOptions& options,
                                   Processes& processes,
                                   const std::function<void(std::int64_t)>& progress);

/// Runs every row on one batch, and keeps the weights. Its frames are not compared.
std::vector<RowSums> evaluate_batch(const modules::Network& network, const std::vector<Row>& rows,
                                    const data::Batch& batch);

/// The number of samples that evaluate_rows takes.
std::size_t evaluated_samples(const data::Samples& samples, const EvaluateOptions& options);
/// The number of these that this process runs itself.
std::size_t evaluated_here(const data::Samples& samples, const EvaluateOptions& options,
                           const Processes& processes);

}  // namespace dualpath::trainer
