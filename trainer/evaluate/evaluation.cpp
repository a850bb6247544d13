#include "trainer/evaluate/evaluation.h"

#include <torch/torch.h>

#include <algorithm>

#include "data/process/interrupt.h"
#include "modules/network/batch_state.h"
#include "modules/weights/device_counts.h"
#include "modules/weights/to_device.h"
#include "trainer/train/head_chunks.h"
#include "trainer/train/head_loss.h"
#include "trainer/train/objective.h"

namespace dualpath::trainer {
namespace {

using torch::Tensor;

/// Adds each token's measures to its window's sums. window_of: [n], the windows' places in the
/// batch.
void add(const RowLosses& on_device, const Tensor& window_of, std::span<WindowSums> windows) {
  const RowLosses measures = on_device.on_host();
  const auto nll = measures.nll.accessor<float, 1>(), kl = measures.kl.accessor<float, 1>(),
             correct = measures.correct.accessor<float, 1>(),
             agreed = measures.agreed.accessor<float, 1>();
  const auto window = window_of.accessor<std::int64_t, 1>();
  for (std::int64_t i = 0; i < window.size(0); ++i) {
    WindowSums& sums = windows[static_cast<std::size_t>(window[i])];
    sums.nll += nll[i];
    sums.kl += kl[i];
    sums.correct += correct[i] > 0.0f;
    sums.agreed += agreed[i] > 0.0f;
    sums.tokens += 1;
  }
}

class Evaluation {
 public:
  Evaluation(const modules::Network& network, const std::vector<Row>& rows)
      : network_(network), rows_(rows) {
    for (const Row& row : rows) sums_.push_back({row.name, {}});
  }

  void add_batch(const data::Batch& batch) {
    modules::DeviceCounts counts;  // of all rows' sites
    std::vector<Tensor> hidden;
    for (const Row& row : rows_) hidden.push_back(last_hidden(*row.executor, batch));
    for (RowSums& row : sums_)
      row.windows.resize(row.windows.size() + static_cast<std::size_t>(batch.ids.size(0)));
    const Tensor targets = counted_targets(batch);  // on the CPU
    const Tensor window_of = counted_windows(batch);
    for_each_chunk(targets.size(0), kChunkRows, [&](std::int64_t begin, std::int64_t size) {
      add_chunk(hidden, targets, window_of, begin, size, batch.ids.size(0));
    });
    counts.check();
  }

  std::vector<RowSums> take() { return std::move(sums_); }

 private:
  Tensor last_hidden(modules::Executor& executor, const data::Batch& batch) const {
    modules::State state = modules::make_state(batch, executor.device());
    modules::run(network_, executor, state);
    return counted_rows(state.hidden, batch);
  }

  /// The window of the batch that each counted position belongs to: [N].
  static Tensor counted_windows(const data::Batch& batch) {
    return (batch.targets != data::kNoTarget).nonzero().select(1, 0).contiguous();
  }

  void add_chunk(const std::vector<Tensor>& hidden, const Tensor& targets, const Tensor& window_of,
                 std::int64_t begin, std::int64_t size, std::int64_t batch_windows) {
    const Tensor counted = targets.narrow(0, begin, size);
    Tensor reference;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const Tensor logits =
          network_.head.logits(*rows_[i].executor, hidden[i].narrow(0, begin, size));
      if (i == 0) reference = logits;
      std::vector<WindowSums>& all = sums_[i].windows;
      const std::span<WindowSums> mine(all.end() - batch_windows, all.end());
      add(head_loss(reference, logits, modules::to_device(counted, logits.device())),
          window_of.narrow(0, begin, size), mine);
    }
  }

  const modules::Network& network_;
  const std::vector<Row>& rows_;
  std::vector<RowSums> sums_;
};

/// A row's windows as a tensor: [windows, 5] float64, which holds counts exactly.
Tensor tensor_of(const std::vector<WindowSums>& windows) {
  const Tensor tensor =
      torch::empty({static_cast<std::int64_t>(windows.size()), 5}, torch::kDouble);
  auto* value = tensor.mutable_data_ptr<double>();
  for (const WindowSums& window : windows) {
    for (const double sum :
         {window.nll, window.kl, static_cast<double>(window.correct),
          static_cast<double>(window.agreed), static_cast<double>(window.tokens)})
      *value++ = sum;
  }
  return tensor;
}

void append(const Tensor& tensor, std::vector<WindowSums>& windows) {
  const auto sums = tensor.accessor<double, 2>();
  for (std::int64_t i = 0; i < sums.size(0); ++i) {
    windows.push_back({sums[i][0], sums[i][1], static_cast<std::int64_t>(sums[i][2]),
                       static_cast<std::int64_t>(sums[i][3]),
                       static_cast<std::int64_t>(sums[i][4])});
  }
}

/// Puts all processes' windows together, in the order of ranks.
std::vector<RowSums> gathered(Processes& processes, std::vector<RowSums> rows) {
  if (processes.size() == 1) return rows;
  modules::NamedTensors own;
  for (const RowSums& row : rows) own[row.name] = tensor_of(row.windows);
  for (RowSums& row : rows) row.windows.clear();
  for (const modules::NamedTensors& tensors : processes.gather("evaluate", own)) {
    for (RowSums& row : rows) append(tensors.at(row.name), row.windows);
  }
  return rows;
}

/// This process's whole batches of so many samples.
ProcessShare samples_here(std::size_t samples, std::size_t batch_size, const Processes& processes) {
  const ProcessShare batches = share_of(processes, (samples + batch_size - 1) / batch_size);
  return {batches.begin * batch_size, std::min(samples, batches.end * batch_size)};
}

}  // namespace

std::size_t evaluated_samples(const data::Samples& samples, const EvaluateOptions& options) {
  std::int64_t most = 1, scored = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) most = std::max(most, samples.targets(i));
  std::size_t n = 0;
  while (scored < options.num_tokens && n < samples.size()) {
    const std::int64_t missing = options.num_tokens - scored;
    n = std::min(samples.size(), n + static_cast<std::size_t>((missing + most - 1) / most));
    scored = 0;
    for (const std::size_t i : data::evenly_spaced(samples.size(), n)) scored += samples.targets(i);
  }
  return n;
}

std::size_t evaluated_here(const data::Samples& samples, const EvaluateOptions& options,
                           const Processes& processes) {
  const ProcessShare share = samples_here(evaluated_samples(samples, options),
                                          static_cast<std::size_t>(options.batch_size), processes);
  return share.end - share.begin;
}

std::vector<RowSums> evaluate_rows(const modules::Network& network, const std::vector<Row>& rows,
                                   const data::Samples& samples, const EvaluateOptions& options,
                                   Processes& processes,
                                   const std::function<void(std::int64_t)>& progress) {
  const torch::NoGradGuard no_grad;
  Evaluation evaluation(network, rows);
  const auto chosen = data::evenly_spaced(samples.size(), evaluated_samples(samples, options));
  const auto batch_size = static_cast<std::size_t>(options.batch_size);
  const ProcessShare share = samples_here(chosen.size(), batch_size, processes);
  for (std::size_t i = share.begin; i < share.end; i += batch_size) {
    throw_if_interrupted();
    const auto batch = std::span(chosen).subspan(i, std::min(batch_size, share.end - i));
    evaluation.add_batch(samples.batch(batch));
    progress(static_cast<std::int64_t>(batch.size()));
  }
  return gathered(processes, evaluation.take());
}

std::vector<RowSums> evaluate_batch(const modules::Network& network, const std::vector<Row>& rows,
                                    const data::Batch& batch) {
  const torch::NoGradGuard no_grad;
  Evaluation evaluation(network, rows);
  evaluation.add_batch(batch);
  return evaluation.take();
}

}  // namespace dualpath::trainer
