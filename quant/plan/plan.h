#pragma once

#include <cstdint>
#include <functional>
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

/// A quantized site and its arguments.
struct PlannedSite {
  modules::Site site;
  QuantArgs args;
  /// The tensor group of an input. Empty for a weight, which is quantized alone, and for an
  /// operand, each of whose heads is a group.
  std::string group = {};

  const std::string& name() const { return site.name; }
};

/// A quantized linear. Its sites are ref.weight_site() and, with input_activations,
/// ref.input_site().
struct PlannedLinear {
  modules::LinearRef ref;
  std::string stage;
  std::string group;  ///< the tensor group of its input
  QuantArgs weights;
  std::optional<QuantArgs> input_activations;  ///< if absent, only the weight is quantized
  std::string scheme = {};                     ///< the config group's name

  const std::string& name() const { return ref.name; }
  /// Whether its input has a calibrated scale.
  bool is_static() const { return input_activations && !input_activations->dynamic; }
  /// Whether an export packs its codes into int32 words (pack-quantized) instead of bytes
  /// (int-quantized). It packs codes of fewer than 8 bits and codes that are met by floats.
  bool is_packed() const { return quant::is_packed(weights, input_activations); }
  bool is_head() const { return stage == ref.name; }
  /// Whether its input gradient may be an INT8 product (InputGradients::kInt8). No with scales by
  /// group: the outputs' gradients cannot be multiplied by them before the product. No for the
  /// head: a few words have most of a row's gradient. A scale by the largest would round the
  /// thousands of others to zero, and their sum could leave int32.
  bool takes_integer_gradients() const;
};

/// A quantized convolution: one scale for the whole input, one for each output channel. Computed in
/// exact simulation. Its sites are ref.weight_site() and ref.input_site().
struct PlannedConv {
  modules::ConvRef ref;
  std::string stage;
  std::string group;  ///< the tensor group of its input
  QuantArgs weights, input_activations;
  std::string scheme = {};  ///< the config group's name

  const std::string& name() const { return ref.name; }
};

/// A causal attention whose operands are quantized, each head by its own scale. Probabilities need
/// no observer: a row's are at most 1, and the first row's are 1. Its sites are ref.site(operand)
/// of operands().
struct PlannedAttention {
  modules::AttentionRef ref;
  std::string stage;
  QuantArgs args;
  bool products = false;  ///< quantizes query and probabilities, too; else key and value alone

  const std::string& name() const { return ref.name; }
  /// The tensor groups of an operand, head by head: "<name>.key.0".
  std::vector<std::string> head_groups(modules::Operand operand) const;
  /// The operands that have scales.
  std::vector<modules::Operand> operands() const;
};

/// One quantized tensor: one observer, one scale, one quantization. It joins the sites that read it
/// (the inputs of q, k and v), or is one head of an attention's operand. Its name is its first
/// site's, or its site's with the head: "<name>.key.0".
struct TensorGroup {
  std::string name;
  std::vector<modules::SiteName> sites;  ///< names in Plan::sites
  QuantArgs args;
  modules::Modality stream;  ///< the stream whose positions the rows are
  /// The modalities that have a static scale of their own; if empty, all rows share one.
  std::vector<modules::Modality> separate = {};

  /// The modalities that calibration must have seen: `separate`, or the stream's own.
  std::vector<modules::Modality> needed() const;
  /// The name that a modality's static scale is kept under: the group's, or "<name>.<modality>".
  std::string scale_name(modules::Modality modality) const;
};

/// Channels whose range is moved into the weights that read them, if smoothing is asked for.
struct PlannedFold {
  std::string group;  ///< the tensor group that its consumers read
  modules::ChannelFold fold;
};

/// A plan, recipe × model: what is quantized and how. Made once, checked before any work, and the
/// same from calibration to export.
struct Plan {
  /// All quantized sites: linears', then convolutions', then attentions', in the order of
  /// execution. The tables below have this order, too; their linears, convolutions, attentions and
  /// groups name their sites.
  Table<PlannedSite, &PlannedSite::name> sites;
  Table<PlannedLinear, &PlannedLinear::name> linears;
  Table<PlannedConv, &PlannedConv::name> convs;
  Table<PlannedAttention, &PlannedAttention::name> attentions;
  /// The groups: linears', then convolutions', then attentions'.
  Table<TensorGroup, &TensorGroup::name> groups;
  /// Names of the linears, convolutions and attentions' products that stay in float.
  std::vector<std::string> ignored;
  std::vector<modules::CorrectableStage> stages;  ///< the stages that hold something quantized
  std::vector<PlannedFold> folds;  ///< folds over quantized inputs; none without smoothing
  SmoothingOptions smoothing;      ///< the folds' options

  /// Finds a quantized linear; null if it stays in float.
  const PlannedLinear* linear(const std::string& name) const { return linears.find(name); }
  /// The linears by the name that a store holds their weight under: a tied head's is the table's.
  std::map<std::string, const PlannedLinear*> by_weight(const modules::WeightStore& weights) const;
  /// The convolutions by the name of their weight.
  std::map<std::string, const PlannedConv*> convs_by_weight() const;
  /// Whether a linear's input has exactly one static scale: an export's tensor
  /// "<name>.input_scale".
  bool has_input_scale(const PlannedLinear& linear) const;
  /// Whether a group has a static scale, which is calibrated and may be trained.
  bool has_static_groups() const;
  /// Whether calibration has anything to look at.
  bool needs_calibration() const { return has_static_groups() || !folds.empty(); }
  /// The plan that quantizes the modules for which `keeps` holds alone; the others stay in float.
  Plan restricted(const std::function<bool(const std::string&)>& keeps) const;
  /// SHA-256 over linears, schemes and the names that stay in float. It tells a calibration or
  /// checkpoint of another plan apart.
  std::string fingerprint() const;
};

}  // namespace dualpath::quant
