#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "modules/network/network.h"
#include "modules/weights/weight_store.h"

namespace dualpath::modules {

/// One call of linear: consumers of one tensor, i.e. a tensor group when their inputs are
/// quantized.
struct LinearUse {
  std::string stage;
  LinearRefs refs;
};

struct ConvUse {
  std::string stage;
  ConvRef ref;
};

struct AttentionUse {
  std::string stage;
  AttentionRef ref;
};

/// A stage whose hidden states may be corrected.
struct CorrectableStage {
  std::string name;
  std::int64_t width = 0;  ///< channels of its hidden states
};

/// A network's parts in the order of execution, found by running it once on tensors without data.
/// So every network written against Executor can be planned, checked and listed without code of its
/// own.
struct Structure {
  std::vector<CorrectableStage> stages;
  std::map<std::string, Modality> streams;  ///< by stage; the head's is the last stage's
  std::vector<LinearUse> linears;           ///< the head last, with stage = its name
  std::vector<NormRef> norms;
  std::vector<EmbeddingRef> embeddings;
  std::vector<ConvUse> convs;
  std::vector<ParameterRef> parameters;
  std::vector<AttentionUse> attentions;
  std::vector<SiteName> taps;
  std::vector<ChannelFold> folds;
  std::vector<std::string> parts_without_effect;  ///< see Network
};

Structure structure_of(const Network& network);

/// Number of hidden states that a tower makes of one sample. The sample is without data: meta
/// tensors, see Network::tower_samples.
std::int64_t hidden_states(const Network& network, Modality tower, const Stream& sample);

/// A tensor that a network reads.
struct NamedShape {
  std::string name;
  std::vector<std::int64_t> shape;
  bool may_be_packed = false;  ///< a file may hold its codes in words, see check_weights()
};
/// All tensors that the network reads, each as often as it is read.
std::vector<NamedShape> tensors_of(const Structure& structure);

/// Checks that the store has every weight the structure names, with the shape expected. Otherwise
/// throws an Error that lists each case. `where` says whose weights they are.
void check_weights(const Structure& structure, const WeightStore& weights,
                   const std::string& where);

/// Checks that the structure names every weight of the store, or that the weight is known to have
/// no effect (rotation tables, counters, parts_without_effect). Otherwise throws an Error that
/// names the first few: an unread weight may mean another network.
void check_all_read(const Structure& structure, const WeightStore& weights,
                    const std::string& where);

}  // namespace dualpath::modules
