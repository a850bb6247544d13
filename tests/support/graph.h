#pragma once

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "modules/execute/graph.h"
#include "modules/network/state_fields.h"
#include "tests/support/catch.h"

namespace dualpath::testing {

/// Gives `to` the fields that stages have made on the host.
inline void take_host_fields(modules::State& from, modules::State& to) {
  modules::NamedTensors made;
  modules::for_each_field(from, [&](const std::string& name, at::Tensor& tensor) {
    if (modules::is_made_on_host(name)) made[name] = tensor;
  });
  modules::for_each_field(to, [&](const std::string& name, at::Tensor& tensor) {
    if (made.contains(name)) tensor = made.at(name);
  });
}

/// Whether the two states' field of that name has the same bits.
inline bool is_equal(modules::State& a, modules::State& b, const std::string& field) {
  at::Tensor first, second;
  modules::for_each_field(a, [&](const std::string& name, at::Tensor& tensor) {
    if (name == field) first = tensor;
  });
  modules::for_each_field(b, [&](const std::string& name, at::Tensor& tensor) {
    if (name == field) second = tensor;
  });
  return first.defined() && second.defined() && first.scalar_type() == second.scalar_type() &&
         first.equal(second);
}

inline void run_stage_and_replay(const modules::Stage& stage, const modules::Graph& graph,
                                 modules::Executor& executor, modules::State& direct,
                                 modules::State& replayed) {
  INFO(stage.name);
  modules::run(stage, executor, direct);
  take_host_fields(direct, replayed);
  modules::replay(graph, executor, replayed);
  CHECK(graph.nodes.empty() == !direct.has(stage.stream));
  for (const modules::GraphPort& output : graph.outputs) {
    INFO(output.field);
    CHECK(is_equal(direct, replayed, output.field));
  }
}

/// Checks that every stage, recorded from the first of `starts` and replayed from each of them,
/// makes its own fields bit for bit.
inline void check_replays(const modules::Network& network, modules::Executor& executor,
                          const std::vector<modules::State>& starts) {
  std::vector<modules::Graph> graphs;
  modules::State recorded = starts.front();
  for (const modules::Stage& stage : network.stages)
    graphs.push_back(modules::record(stage, executor, recorded));
  for (const modules::State& start : starts) {
    modules::State direct = start, replayed = start;
    for (std::size_t i = 0; i < graphs.size(); ++i)
      run_stage_and_replay(network.stages[i], graphs[i], executor, direct, replayed);
  }
  modules::State direct = starts.front();
  modules::run(network, executor, direct);
  const modules::Modality last = network.stages.back().stream;
  CHECK(recorded.stream(last).hidden.equal(direct.stream(last).hidden));
}

/// Two texts of 9 tokens each below `vocab_size`, and others.
inline std::vector<modules::State> text_starts(std::int64_t vocab_size) {
  const at::Tensor ids = at::arange(18, at::kLong).view({2, 9});
  const at::Tensor mask = at::arange(9).lt(at::tensor({9, 6}).unsqueeze(1));
  return {modules::make_state(ids * 7 % vocab_size),
          modules::make_state(ids * 5 % vocab_size, mask)};
}

}  // namespace dualpath::testing
