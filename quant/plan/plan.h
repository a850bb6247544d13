#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "modules/execute/structure.h"
#include "modules/weights/weight_store.h"
#include "quant/plan/sites.h"
#include "quant/plan/table.h"
#include "quant/scheme.h"

namespace dualpath::quant {

/// A site that is quantized, and how.
struct PlannedSite {
  modules::Site site;
  QuantArgs args;
  /// The tensor group of an input. Empty of a weight, which is quantized alone, and of an operand,
  /// each of whose heads is a group.
  std::string group = {};

  const std::string& name() const { return site.name; }
};

/// One linear that is quantized. Its sites are ref.weight_site() and, with input_activations,
/// ref.input_site().
struct PlannedLinear {
  modules::LinearRef ref;
  std::string stage;
  std::string group;  ///< the tensor group of its input
  QuantArgs weights;
  std::optional<QuantArgs> input_activations;  ///< nothing: only its weight is quantized
  std::string scheme = {};                     ///< the config group's name

  const std::string& name() const { return ref.name; }
  /// Whether its input has a calibrated scale.
  bool is_static() const { return input_activations && !input_activations->dynamic; }
  /// Whether an export packs its codes, of fewer than 8 bits or met by floats, into int32 words
  /// (pack-quantized) instead of bytes (int-quantized).
  bool is_packed() const { return quant::is_packed(weights, input_activations); }
  bool is_head() const { return stage == ref.name; }
  /// Whether InputGradients::kInt8 is for it. Not with scales by group, by which the outputs'
  /// gradients cannot be multiplied before the product; and not for the head, where a few words
  /// have most of a row's gradient, a scale by the largest would round the thousands of others to
  /// zero, and their sum could leave int32.
  bool takes_integer_gradients() const;
};

/// One convolution that is quantized, whole input and each output channel by a scale; computed in
/// exact simulation. Its sites are ref.weight_site() and ref.input_site().
struct PlannedConv {
  modules::ConvRef ref;
  std::string stage;
  std::string group;  ///< the tensor group of its input
  QuantArgs weights, input_activations;
  std::string scheme = {};  ///< the config group's name

  const std::string& name() const { return ref.name; }
};

/// One causal attention whose operands are quantized, each head by its own scale. Probabilities
/// need no observer: a row's are at most 1, and the first row's are 1. Its sites are
/// ref.site(operand) of operands().
struct PlannedAttention {
  modules::AttentionRef ref;
  std::string stage;
  QuantArgs args;
  bool products = false;  ///< query and probabilities too; else key and value alone

  const std::string& name() const { return ref.name; }
  /// The tensor groups of an operand, head by head: "<name>.key.0".
  std::vector<std::string> head_groups(modules::Operand operand) const;
  /// The operands that have scales.
  std::vector<modules::Operand> operands() const;
};

/// Sites that are one quantized tensor (the inputs of q, k and v), or one head of an attention's
/// operand: one observer, one scale, one quantization. Named by its first site, or by its site and
/// the head: "<name>.key.0".
struct TensorGroup {
  std::string name;
  std::vector<modules::SiteName> sites;  ///< in Plan::sites
  QuantArgs args;
  modules::Modality stream;  ///< whose positions its rows are
  /// Those that have a static scale of their own; none: all rows share one.
  std::vector<modules::Modality> separate = {};

  /// What calibration must have seen: `separate`, or the stream's own.
  std::vector<modules::Modality> needed() const;
  /// Under which a modality's static scale is kept: the group's name, or "<name>.<modality>".
  std::string scale_name(modules::Modality modality) const;
};

/// Channels whose range is moved into the weights that read them, if smoothing is asked for.
struct PlannedFold {
  std::string group;  ///< the tensor group of what its consumers read
  modules::ChannelFold fold;
};

/// Recipe × model -> what is quantized and how: made once, checked before any work, and the same
/// from calibration to export.
struct Plan {
  /// All that is quantized: of linears, then of convolutions, then of attentions, in the order of
  /// execution, as are the tables below. Linears, convolutions, attentions and groups name theirs.
  Table<PlannedSite, &PlannedSite::name> sites;
  Table<PlannedLinear, &PlannedLinear::name> linears;
  Table<PlannedConv, &PlannedConv::name> convs;
  Table<PlannedAttention, &PlannedAttention::name> attentions;
  /// Of linears, then of convolutions, then of attentions.
  Table<TensorGroup, &TensorGroup::name> groups;
  /// Linears and convolutions, and attentions whose products, stay in float.
  std::vector<std::string> ignored;
  std::vector<modules::CorrectableStage> stages;  ///< those that hold something quantized
  std::vector<PlannedFold> folds;  ///< of inputs that are quantized; none without smoothing
  SmoothingOptions smoothing;      ///< of the folds

  /// Null if it stays in float.
  const PlannedLinear* linear(const std::string& name) const { return linears.find(name); }
  /// By the name under which a store holds the weight: a tied head's is the table's.
  std::map<std::string, const PlannedLinear*> by_weight(const modules::WeightStore& weights) const;
  /// Whether one static scale is all of a linear's input's: the tensor "<name>.input_scale" of an
  /// export.
  bool has_input_scale(const PlannedLinear& linear) const;
  /// Whether a group has a static scale, which is calibrated and may be trained.
  bool has_static_groups() const;
  /// Whether calibration has anything to look at.
  bool needs_calibration() const { return has_static_groups() || !folds.empty(); }
  /// SHA-256 over linears, schemes and what stays in float: a calibration or checkpoint made for
  /// another plan is not taken for this one.
  std::string fingerprint() const;
};

}  // namespace dualpath::quant
