#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "modules/network/executor.h"
#include "modules/network/state.h"

namespace dualpath::modules {

/// One step of a network. It holds names (Refs), no tensors, so that it can be loaded, moved and
/// released alone.
struct Stage {
  std::string name;  ///< the module path, e.g. "model.layers.3"
  /// Whether the stage's hidden output may be compared with the reference's and corrected.
  bool correctable = false;
  std::function<void(Executor&, State&)> forward;
  Modality stream = Modality::kText;  ///< the stream whose hidden state it makes
  /// Whether it changes the stream's mask or grid beside its hidden state, as merging positions
  /// does. Gradient checkpointing leaves such a stage alone.
  bool merges = false;
};

/// The only way to run a stage: the executor's begin and end cannot be forgotten. A tower's stage
/// does nothing if the state has no stream for it.
void run(const Stage& stage, Executor& executor, State& state);

/// Makes logits. It is no stage: it makes them for chunks of rows, so that [tokens, vocabulary]
/// never exists whole.
struct Head {
  LinearRef ref;  ///< no name: there is no head, as for a tower alone
  bool exists() const { return !ref.name.empty(); }
  /// rows: [N, H], the last stage's hidden states. Result: [N, vocabulary].
  at::Tensor logits(Executor& executor, const at::Tensor& rows) const;
};

/// Channels that can be scaled without changing the network's result. Each channel is divided by a
/// factor at its producer and multiplied by it at its only consumers.
struct ChannelFold {
  std::string weight;  ///< the producer's: a norm's [channels], or a linear's [rows, in]
  std::string bias;    ///< a norm's [channels] or a linear's [rows]; empty if it has none
  std::int64_t first_row = 0, channels = 0;  ///< the producer's outputs that are scaled
  LinearRefs consumers;                      ///< all read one x
  /// If x holds each `block` of channels `repeats` times in a row (grouped heads, merged patches);
  /// else 1.
  std::int64_t block = 1, repeats = 1;
};

/// An ordered list of stages and a head. Paired forward, evaluation, decoding and planning are
/// loops over it.
struct Network {
  std::vector<Stage> stages;
  Head head;
  std::vector<ChannelFold> folds = {};
  /// A sample of each tower's input, without data (meta), for finding the tower's structure.
  std::map<Modality, Stream> tower_samples = {};
  /// Beginnings of the names of tensors that a checkpoint may hold beside this network's: parts of
  /// its class that no result here depends on (a Whisper's decoder).
  std::vector<std::string> parts_without_effect = {};
};

/// Puts the stages of `tower` behind the present ones. A head that it has becomes the network's.
void append(Network& network, Network tower);

/// An input for running a tower without data.
at::Tensor input_without_data(std::vector<std::int64_t> shape);

/// A norm of a stream's hidden state, behind its layers.
Stage norm_stage(const NormRef& norm, Modality stream);

/// The network with only the first `layers` of its decoder's correctable stages.
Network shortened(const Network& network, std::size_t layers);

/// Runs every stage.
void run(const Network& network, Executor& executor, State& state);

}  // namespace dualpath::modules
