#include "trainer/processes/processes.h"

#include <torch/torch.h>

#include "data/base/error.h"
#include "tests/support/catch.h"
#include "tests/support/two_processes.h"
#include "trainer/processes/gradients.h"
#include "trainer/processes/same_tensors.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;
using torch::Tensor;

TEST_CASE("a process alone is its own sum, text and share", "[trainer][processes]") {
  Processes& alone = Processes::alone();
  const Tensor two = torch::full({3}, 2.0f);
  alone.sum("test", {two});
  CHECK(two.equal(torch::full({3}, 2.0f)));
  CHECK(alone.broadcast("test", "text") == "text");
  CHECK(alone.gather("test", "text") == std::vector<std::string>{"text"});
  CHECK(share_of(alone, 5).end == 5);
  bool has_run = false;
  alone.on_first("test", [&] { has_run = true; });
  CHECK(has_run);
}

TEST_CASE("two processes sum, gather and broadcast in the order of ranks", "[trainer][processes]") {
  const TwoEnds ends = in_two_processes([](Processes& processes) {
    const auto rank = static_cast<float>(processes.rank());
    const Tensor floats = torch::full({3}, 1.0f + rank), count = torch::full({1}, 1, torch::kLong);
    processes.sum("test", {floats, count});
    require(floats.equal(torch::full({3}, 3.0f)) && count.item<std::int64_t>() == 2);
    // Texts of any length, an empty one among them.
    const std::string own = processes.is_first() ? "" : std::string("a\0b", 3);
    const std::vector<std::string> all = processes.gather("test", own);
    require(all == std::vector<std::string>{"", std::string("a\0b", 3)});
    require(processes.broadcast("test", own).empty());
    const auto tensors = processes.gather("test", {{"x", torch::full({2}, rank)}});
    require(tensors[0].at("x").equal(torch::zeros(2)) && tensors[1].at("x").equal(torch::ones(2)));
    require(processes.broadcast("test", {{"x", torch::full({2}, rank)}})
                .at("x")
                .equal(torch::zeros(2)));
    const auto [begin, end] = share_of(processes, 5);
    require(processes.is_first() ? begin == 0 && end == 2 : begin == 2 && end == 5);
    return 0;
  });
  CHECK(ends.first.code == 0);
  CHECK(ends.second.code == 0);
}

TEST_CASE("a gradient that one process has is everyone's, one that none has is nobody's",
          "[trainer][processes]") {
  const TwoEnds ends = in_two_processes([](Processes& processes) {
    const float rank = static_cast<float>(processes.rank());
    modules::NamedTensors parameters;
    for (const char* name : {"both", "one", "none"})
      parameters[name] = torch::zeros({4, 6}).t().requires_grad_();  // laid out as it likes
    parameters["large"] = torch::zeros({512, 1024}).t().requires_grad_();
    GradientSums sums(processes, parameters, SummedAt::kAll);
    for (int step = 0; step < 2; ++step) {  // a parameter keeps no gradient from one to the next
      for (auto& [name, parameter] : parameters) parameter.mutable_grad() = Tensor();
      parameters["both"].mutable_grad() = torch::full({6, 4}, 1.0f + rank);
      parameters["large"].mutable_grad() = torch::full({1024, 512}, 1.0f + rank);
      if (!processes.is_first()) parameters["one"].mutable_grad() = torch::ones({6, 4});
      sums.send_rest();
      sums.finish();
      require(parameters["both"].grad().equal(torch::full({6, 4}, 3.0f)));
      require(parameters["large"].grad().equal(torch::full({1024, 512}, 3.0f)));
      require(parameters["one"].grad().equal(torch::ones({6, 4})));
      require(!parameters["none"].grad().defined());
      require(sums.summed() == std::vector<std::string>{"both", "large", "one"});
    }
    return 0;
  });
  CHECK(ends.first.code == 0);
  CHECK(ends.second.code == 0);
}

TEST_CASE("gradients that leave during backward have the sums of those that leave after it",
          "[trainer][processes]") {
  const SummedAt at = GENERATE(SummedAt::kAll, SummedAt::kOwner);
  const std::int64_t side = GENERATE(7, 700);  // several in a bucket; each by itself
  const TwoEnds ends = in_two_processes([&](Processes& processes) {
    modules::NamedTensors parameters;
    for (const char* name : {"a", "b", "c", "d", "e", "late"})
      parameters[name] = torch::ones({side, side}).requires_grad_();
    const float rank = static_cast<float>(processes.rank());
    GradientSums sums(processes, parameters, at);
    for (int step = 0; step < 3; ++step) {
      const auto backward = [&] {
        // The second process has no use for "b"; "d" is nobody's; "late" comes after the first
        // step.
        Tensor loss = (parameters["a"] * (1.0f + rank)).sum() + parameters["c"].square().sum() +
                      parameters["e"].sum();
        if (processes.is_first()) loss = loss + (parameters["b"] * 5.0f).sum();
        if (step > 0) loss = loss + parameters["late"].sum();
        loss.backward();
      };
      backward();  // accumulates, and sends nothing
      require(sums.sent() == 0);
      sums.follow_backward();
      backward();
      // The second process may wait for the gradient that it does not make.
      if (step > 0 && processes.is_first()) require(sums.sent() > 0);
      sums.send_rest();
      sums.finish();
      const auto check = [&](const std::string& name, float expected) {
        const bool is_here = at == SummedAt::kAll || sums.owners().at(name) == processes.rank();
        const Tensor& gradient = parameters[name].grad();
        require(is_here ? gradient.equal(torch::full({side, side}, expected))
                        : !gradient.defined());
      };
      check("a", 6.0f);
      check("b", 10.0f);
      check("c", 8.0f);
      check("e", 4.0f);
      if (step > 0) check("late", 4.0f);
      require(!parameters["d"].grad().defined());
      for (auto& [name, parameter] : parameters) parameter.mutable_grad() = Tensor();
    }
    return 0;
  });
  CHECK(ends.first.code == 0);
  CHECK(ends.second.code == 0);
}

TEST_CASE("tensors that differ in a bit are refused by all, and equal ones are not",
          "[trainer][processes]") {
  const float difference = GENERATE(0.0f, 1e-7f);
  const TwoEnds ends = in_two_processes([&](Processes& processes) {
    const float own = processes.is_first() ? 1.0f : 1.0f + difference;
    try {
      require_same(processes, "scales", {{"x", torch::full({3}, own)}});
    } catch (const Error& error) {
      return std::string(error.what()).starts_with("process 1 has other scales than process 0") ? 1
                                                                                                : 2;
    }
    return 0;
  });
  CHECK(ends.first.code == (difference == 0.0f ? 0 : 1));
  CHECK(ends.second.code == ends.first.code);
}

TEST_CASE("a process that leaves says why, and one that is killed is named",
          "[trainer][processes]") {
  const auto [leaves, expected] = GENERATE(table<bool, std::string>(
      {{true, "sum: process 1 of 2 has stopped: the disk is full"},
       {false, "sum: process 1 of 2 is gone without a word (killed, or cut off): "}}));
  const TwoEnds ends = in_two_processes([&](Processes& processes) {
    if (!processes.is_first()) {
      if (leaves) processes.leave("the disk is full");
      return 7;
    }
    try {
      processes.sum("sum", {torch::ones(3)});
    } catch (const Error& error) {
      return std::string(error.what()).starts_with(expected) ? 1 : 2;
    }
    return 3;
  });
  CHECK(ends.first.code == 1);
  CHECK(ends.second.code == 7);
}
