#include "trainer/evaluate/evaluation.h"

#include <torch/torch.h>

#include <algorithm>
#include <map>

#include "data/process/interrupt.h"
#include "modules/network/batch_state.h"
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
void add(const RowLosses& on_device, const Tensor& sample_of, std::span<SampleSums> samples) {
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
void add(const Frames& fp, const Frames& row, const FilesOfBatch& files,
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

class Evaluation {
 public:
  Evaluation(const modules::Network& network, const std::vector<Row>& rows)
      : network_(network), rows_(rows) {
    for (const Row& row : rows) sums_.push_back({row.name, {}});
  }

  void add_batch(const data::Batch& batch, const FilesOfBatch& files = {}) {
    modules::DeviceCounts counts;  // of all rows' sites
    std::vector<Tensor> hidden;
    Frames fp;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      std::vector<SampleSums>& samples = sums_[i].samples;
      samples.resize(samples.size() + static_cast<std::size_t>(batch.ids.size(0)));
      modules::State state = last_state(*rows_[i].executor, batch);
      hidden.push_back(counted_rows(state.hidden, batch));
      if (i == 0) fp = state.towers;
      add(fp, state.towers, files, newest(i, batch.ids.size(0)));
    }
    const Tensor targets = counted_targets(batch);  // on the CPU
    const Tensor sample_of = counted_samples(batch);
    for_each_chunk(targets.size(0), kChunkRows, [&](std::int64_t begin, std::int64_t size) {
      add_chunk(hidden, targets, sample_of, begin, size, batch.ids.size(0));
    });
    counts.check();
  }

  std::vector<RowSums> take() { return std::move(sums_); }

 private:
  modules::State last_state(modules::Executor& executor, const data::Batch& batch) const {
    modules::State state = modules::make_state(batch, executor.device());
    modules::run(network_, executor, state);
    return state;
  }

  /// The sums of the batch's samples in a row.
  std::span<SampleSums> newest(std::size_t row, std::int64_t count) {
    std::vector<SampleSums>& all = sums_[row].samples;
    return {all.end() - count, all.end()};
  }

  /// The sample of the batch that each counted position belongs to: [N].
  static Tensor counted_samples(const data::Batch& batch) {
    return (batch.targets != data::kNoTarget).nonzero().select(1, 0).contiguous();
  }

  void add_chunk(const std::vector<Tensor>& hidden, const Tensor& targets, const Tensor& sample_of,
                 std::int64_t begin, std::int64_t size, std::int64_t batch_samples) {
    const Tensor counted = targets.narrow(0, begin, size);
    Tensor reference;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const Tensor logits =
          network_.head.logits(*rows_[i].executor, hidden[i].narrow(0, begin, size));
      if (i == 0) reference = logits;
      add(head_loss(reference, logits, modules::to_device(counted, logits.device())),
          sample_of.narrow(0, begin, size), newest(i, batch_samples));
    }
  }

  const modules::Network& network_;
  const std::vector<Row>& rows_;
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
  Evaluation evaluation(network, rows);
  const auto chosen = data::evenly_spaced(samples.size(), evaluated_samples(samples, options));
  const auto batch_size = static_cast<std::size_t>(options.batch_size);
  const ProcessShare share = samples_here(chosen.size(), batch_size, processes);
  for (std::size_t i = share.begin; i < share.end; i += batch_size) {
    throw_if_interrupted();
    const auto batch = std::span(chosen).subspan(i, std::min(batch_size, share.end - i));
    evaluation.add_batch(samples.batch(batch), files_of(samples, batch));
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
