#include "trainer/evaluate/evaluation.h"

#include <torch/torch.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>

#include "data/process/interrupt.h"
#include "modules/network/batch_state.h"
#include "modules/network/sweep.h"
#include "modules/weights/device_counts.h"
#include "modules/weights/to_device.h"
#include "quant/compare/distance.h"
#include "trainer/train/head_chunks.h"
#include "trainer/train/head_loss.h"
#include "trainer/train/objective.h"

namespace dualpath::trainer {
namespace {

using torch::Tensor;

/// Adds each token's measures to its sample's sums. sample_of: [n], the samples' places in the
/// batch.
void add_tokens(const RowLosses& on_device, const Tensor& sample_of,
                std::span<SampleSums> samples) {
  const RowLosses measures = on_device.on_host();
  const auto nll = measures.nll.accessor<float, 1>(), kl = measures.kl.accessor<float, 1>(),
             correct = measures.correct.accessor<float, 1>(),
             agreed = measures.agreed.accessor<float, 1>();
  const auto sample = sample_of.accessor<std::int64_t, 1>();
  for (std::int64_t i = 0; i < sample.size(0); ++i) {
    SampleSums& sums = samples[static_cast<std::size_t>(sample[i])];
    sums[Quantity::kNll].add(nll[i]);
    sums[Quantity::kKl].add(kl[i]);
    sums[Quantity::kCorrect].add(correct[i] > 0.0f ? 1.0 : 0.0);
    sums[Quantity::kAgreed].add(agreed[i] > 0.0f ? 1.0 : 0.0);
  }
}

/// The files of each sample of a batch; nothing for samples that have none.
using FilesOfBatch = std::vector<const data::MediaFiles*>;

/// The frames that a network's towers give to the decoder, by modality.
using Frames = std::map<modules::Modality, modules::Stream>;

std::size_t count_files(const data::MediaFiles& files, modules::Modality modality) {
  return modality == modules::Modality::kImage ? files.images.size() : files.audio.size();
}

/// The relative distance of one picture's or clip's frames.
Sum distance(const modules::Stream& fp, const modules::Stream& row, std::int64_t item) {
  const auto one = [&](const Tensor& x) { return x.narrow(0, item, 1); };
  const Tensor hidden = one(row.hidden);
  const Tensor mask = row.mask.defined() ? one(row.mask)
                                         : torch::ones(hidden.sizes().slice(0, 2),
                                                       hidden.options().dtype(at::kBool));
  const Tensor distance =
      quant::hidden_distance(quant::DistanceKind::kRelative, one(fp.hidden), hidden, mask);
  return {distance.item<double>(), mask.sum().item<double>()};
}

/// Adds the distances of all files' frames to their samples' sums. A tower's batch holds the files
/// of all samples in order.
void add_frames(const Frames& fp, const Frames& row, const FilesOfBatch& files,
                std::span<SampleSums> samples) {
  for (const auto& [modality, stream] : fp) {
    std::int64_t item = 0;
    for (std::size_t sample = 0; sample < files.size(); ++sample) {
      const std::size_t count = files[sample] ? count_files(*files[sample], modality) : 0;
      for (std::size_t i = 0; i < count; ++i) {
        const Sum sum = distance(stream, row.at(modality), item++);
        samples[sample][Quantity::kFrames].add(sum.value, sum.count);
      }
    }
  }
}

/// A batch, and the files of its samples if their frames are compared.
struct EvaluatedBatch {
  data::Batch batch;
  FilesOfBatch files = {};
  std::size_t samples() const { return static_cast<std::size_t>(batch.ids.size(0)); }
};

/// Says whether a stage's weights are held when all batches have passed it.
enum class WeightsAfter { kReleased, kKept };

class Evaluation {
 public:
  Evaluation(const modules::Network& network, const std::vector<Row>& rows, WeightsAfter weights)
      : network_(network), rows_(rows), weights_(weights) {
    for (const Row& row : rows) sums_.push_back({row.name, {}});
  }

  /// Runs the batches side by side, a row after the other. done: see modules::sweep().
  void add(const std::vector<EvaluatedBatch>& batches, const std::function<void()>& done) {
    modules::DeviceCounts counts;  // of all rows' sites
    const std::size_t first = sums_.front().samples.size();
    std::vector<std::vector<Tensor>> hidden;  // by batch and row
    for (const EvaluatedBatch& one : batches) {
      const std::size_t samples = sums_.front().samples.size() + one.samples();
      for (RowSums& row : sums_) row.samples.resize(samples);
      hidden.emplace_back();
    }
    std::vector<Frames> fp;
    for (std::size_t row = 0; row < rows_.size(); ++row) {
      std::vector<modules::State> states = last_states(*rows_[row].executor, batches, done);
      if (row == 0) std::ranges::transform(states, std::back_inserter(fp), &modules::State::towers);
      std::size_t begin = first;
      for (std::size_t i = 0; i < batches.size(); ++i) {
        add_frames(fp[i], states[i].towers, batches[i].files, sums_of(row, begin, batches[i]));
        hidden[i].push_back(counted_rows(states[i].hidden, batches[i].batch));
        begin += batches[i].samples();
      }
    }
    add_losses(batches, hidden, first);
    counts.check();
  }

  std::vector<RowSums> take() { return std::move(sums_); }

 private:
  std::vector<modules::State> last_states(modules::Executor& executor,
                                          const std::vector<EvaluatedBatch>& batches,
                                          const std::function<void()>& done) const {
    std::vector<modules::State> states;
    for (const EvaluatedBatch& one : batches)
      states.push_back(modules::make_state(one.batch, executor.device()));
    if (weights_ == WeightsAfter::kReleased) {
      modules::sweep(network_, executor, states, modules::kAllStages, done);
    } else {
      for (modules::State& state : states) modules::run(network_, executor, state);
    }
    return states;
  }

  /// The sums of a batch's samples in a row, the first of which is number `begin`.
  std::span<SampleSums> sums_of(std::size_t row, std::size_t begin, const EvaluatedBatch& one) {
    return std::span(sums_[row].samples).subspan(begin, one.samples());
  }

  void add_losses(const std::vector<EvaluatedBatch>& batches,
                  const std::vector<std::vector<Tensor>>& hidden, std::size_t first) {
    for (std::size_t i = 0; i < batches.size(); ++i) {
      const Tensor targets = counted_targets(batches[i].batch);  // on the CPU
      const Tensor sample_of = counted_samples(batches[i].batch);
      const auto sums = [&](std::size_t row) { return sums_of(row, first, batches[i]); };
      for_each_chunk(targets.size(0), kChunkRows, [&](std::int64_t begin, std::int64_t size) {
        add_chunk(hidden[i], targets.narrow(0, begin, size), sample_of.narrow(0, begin, size),
                  begin, sums);
      });
      first += batches[i].samples();
    }
    if (weights_ == WeightsAfter::kKept) return;
    for (const Row& row : rows_) row.executor->release();
  }

  /// The sample of the batch that each counted position belongs to: [N].
  static Tensor counted_samples(const data::Batch& batch) {
    return (batch.targets != data::kNoTarget).nonzero().select(1, 0).contiguous();
  }

  /// hidden: each row's; targets and sample_of: of the rows of hidden from `begin` on.
  void add_chunk(const std::vector<Tensor>& hidden, const Tensor& targets, const Tensor& sample_of,
                 std::int64_t begin,
                 const std::function<std::span<SampleSums>(std::size_t)>& sums) const {
    Tensor reference;
    for (std::size_t row = 0; row < rows_.size(); ++row) {
      const Tensor logits =
          network_.head.logits(*rows_[row].executor, hidden[row].narrow(0, begin, targets.size(0)));
      if (row == 0) reference = logits;
      add_tokens(head_loss(reference, logits, modules::to_device(targets, logits.device())),
                 sample_of, sums(row));
    }
  }

  const modules::Network& network_;
  const std::vector<Row>& rows_;
  WeightsAfter weights_;
  std::vector<RowSums> sums_;
};

/// A row's samples as a tensor: [samples, 2 * quantities] float64, which holds counts exactly.
Tensor tensor_of(const std::vector<SampleSums>& samples) {
  constexpr std::int64_t kColumns = 2 * static_cast<std::int64_t>(kQuantities);
  const Tensor tensor =
      torch::empty({static_cast<std::int64_t>(samples.size()), kColumns}, torch::kDouble);
  auto* value = tensor.mutable_data_ptr<double>();
  for (const SampleSums& sample : samples) {
    for (const Sum& sum : sample.sums) {
      *value++ = sum.value;
      *value++ = sum.count;
    }
  }
  return tensor;
}

void append(const Tensor& tensor, std::vector<SampleSums>& samples) {
  const auto* value = tensor.const_data_ptr<double>();
  for (std::int64_t i = 0; i < tensor.size(0); ++i) {
    SampleSums sample;
    for (Sum& sum : sample.sums) {
      sum.value = *value++;
      sum.count = *value++;
    }
    samples.push_back(sample);
  }
}

/// Puts all processes' samples together, in the order of ranks.
std::vector<RowSums> gathered(Processes& processes, std::vector<RowSums> rows) {
  if (processes.size() == 1) return rows;
  modules::NamedTensors own;
  for (const RowSums& row : rows) own[row.name] = tensor_of(row.samples);
  for (RowSums& row : rows) row.samples.clear();
  for (const modules::NamedTensors& tensors : processes.gather("evaluate", own)) {
    for (RowSums& row : rows) append(tensors.at(row.name).contiguous(), row.samples);
  }
  return rows;
}

FilesOfBatch files_of(const data::Samples& samples, std::span<const std::size_t> batch) {
  FilesOfBatch files;
  for (const std::size_t number : batch) files.push_back(samples.sample(number).files);
  return files;
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
  Evaluation evaluation(network, rows, WeightsAfter::kReleased);
  const auto chosen = data::evenly_spaced(samples.size(), evaluated_samples(samples, options));
  const auto batch_size = static_cast<std::size_t>(options.batch_size);
  const ProcessShare share = samples_here(chosen.size(), batch_size, processes);
  const std::size_t swept = std::max<std::size_t>(1, modules::kSwept / batch_size) * batch_size;
  for (std::size_t first = share.begin; first < share.end; first += swept) {
    const std::size_t end = std::min(share.end, first + swept);
    std::vector<EvaluatedBatch> batches;
    for (std::size_t i = first; i < end; i += batch_size) {
      const auto batch = std::span(chosen).subspan(i, std::min(batch_size, end - i));
      batches.push_back({samples.batch(batch), files_of(samples, batch)});
    }
    std::size_t runs = 0, counted = 0;
    const std::size_t all = batches.size() * network.stages.size() * rows.size();
    evaluation.add(batches, [&] {
      throw_if_interrupted();
      const std::size_t worth = ++runs * (end - first) / all;  // so many samples' work
      if (worth > counted) progress(static_cast<std::int64_t>(worth - counted));
      counted = worth;
    });
  }
  return gathered(processes, evaluation.take());
}

std::vector<RowSums> evaluate_batch(const modules::Network& network, const std::vector<Row>& rows,
                                    const data::Batch& batch) {
  const torch::NoGradGuard no_grad;
  Evaluation evaluation(network, rows, WeightsAfter::kKept);
  evaluation.add({{batch}}, [] {});
  return evaluation.take();
}

}  // namespace dualpath::trainer
