#include "modules/execute/gradient_checkpointing.h"

#include <torch/autograd.h>
#include <torch/csrc/autograd/functions/accumulate_grad.h>
#include <torch/utils.h>

#include <algorithm>
#include <unordered_set>

#include "modules/weights/device_counts.h"

namespace dualpath::modules {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Node;
using torch::autograd::variable_list;

/// A stage and the state it starts from. Autograd holds it.
struct StageRun : torch::CustomClassHolder {
  StageRun(const Stage& its_stage, Executor& its_executor, const State& state)
      : stage(its_stage), executor(its_executor), start(state) {
    start.stream(its_stage.stream).hidden = Tensor();  // kept by autograd
  }

  Tensor output(const Tensor& hidden, bool again) const {
    State state = start;
    Tensor& stream_hidden = state.stream(stage.stream).hidden;
    stream_hidden = hidden;
    state.recomputed = again;
    modules::run(stage, executor, state);
    return stream_hidden;
  }

  const Stage& stage;
  Executor& executor;
  State start;
};

/// Throws if a trained tensor is missing from `told`: it would silently stay untrained.
void check_told(const Tensor& output, const variable_list& told, const std::string& stage) {
  std::vector<Node*> open{output.grad_fn().get()};
  std::unordered_set<Node*> seen;
  while (!open.empty()) {
    Node* node = open.back();
    open.pop_back();
    if (!node || !seen.insert(node).second) continue;
    if (const auto* leaf = dynamic_cast<torch::autograd::AccumulateGrad*>(node)) {
      const bool known = std::any_of(told.begin(), told.end(), [&](const Tensor& tensor) {
        return tensor.is_same(leaf->variable);
      });
      TORCH_CHECK(known, stage, " trains a tensor ", leaf->variable.sizes(),
                  " that gradient checkpointing was not told of");
    }
    for (const torch::autograd::Edge& edge : node->next_edges())
      open.push_back(edge.function.get());
  }
}

/// Returns a gradient for each of `inputs`, undefined if there is none.
variable_list gradients(const Tensor& output, const Tensor& of_output,
                        const variable_list& inputs) {
  variable_list result(inputs.size()), leaves;
  if (!output.requires_grad()) return result;
  std::copy_if(inputs.begin(), inputs.end(), std::back_inserter(leaves),
               [](const Tensor& input) { return input.requires_grad(); });
  const variable_list of_leaves =
      torch::autograd::grad({output}, leaves, {of_output}, /*retain_graph=*/false,
                            /*create_graph=*/false, /*allow_unused=*/true);
  auto next = of_leaves.begin();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].requires_grad()) result[i] = *next++;
  }
  return result;
}

/// Runs a stage without its graph. Trained tensors are inputs beside the hidden state, else a stage
/// whose input has no gradient would train nothing. Their gradients are returned, so the outer
/// graph accumulates each once. Only a hook on a trained tensor itself would see them twice.
struct CheckpointedStage : torch::autograd::Function<CheckpointedStage> {
  static Tensor forward(AutogradContext* ctx, const Tensor& hidden, at::TensorList trained,
                        const c10::intrusive_ptr<StageRun>& stage_run) {
    variable_list inputs{hidden};
    inputs.insert(inputs.end(), trained.begin(), trained.end());
    ctx->save_for_backward(inputs);
    ctx->saved_data["run"] = c10::IValue::make_capsule(stage_run);
    return stage_run->output(hidden, /*again=*/false);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const c10::intrusive_ptr<torch::CustomClassHolder> holder = ctx->saved_data["run"].toCapsule();
    const auto& stage_run = static_cast<const StageRun&>(*holder);
    variable_list inputs = ctx->get_saved_variables();
    inputs.front() = inputs.front().detach().requires_grad_(ctx->needs_input_grad(0));
    Tensor output;
    {
      const DeviceCounts unread;  // the first run has counted the same values
      const torch::AutoGradMode with_graph(true);
      output = stage_run.output(inputs.front(), /*again=*/true);
    }
    check_told(output, inputs, stage_run.stage.name);
    variable_list result = gradients(output, grads.front(), inputs);
    result.emplace_back();  // `stage_run` gets no gradient
    return result;
  }
};

}  // namespace

std::vector<Tensor> GradientCheckpointing::trained_by(const Stage& stage) const {
  const std::string path = stage.name + ".";
  std::vector<Tensor> tensors;
  for (auto i = trained_.lower_bound(path); i != trained_.end() && i->first.starts_with(path); ++i)
    tensors.push_back(i->second);
  return tensors;
}

void GradientCheckpointing::run(const Stage& stage, Executor& executor, State& state) const {
  if (!on_ || stage.merges || !state.has(stage.stream) ||
      !state.stream(stage.stream).hidden.defined())
    return modules::run(stage, executor, state);
  TORCH_CHECK(!state.cache, "a stage that fills a cache cannot be recomputed");
  const std::vector<Tensor> trained = trained_by(stage);
  Tensor& hidden = state.stream(stage.stream).hidden;
  hidden = CheckpointedStage::apply(hidden, at::TensorList(trained),
                                    c10::make_intrusive<StageRun>(stage, executor, state));
}

void GradientCheckpointing::run(const Network& network, Executor& executor, State& state) const {
  for (const Stage& stage : network.stages) run(stage, executor, state);
}

}  // namespace dualpath::modules
