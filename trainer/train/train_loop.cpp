#include "trainer/train/train_loop.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "data/base/error.h"
#include "data/base/failpoint.h"
#include "data/formats/event_file.h"
#include "data/process/interrupt.h"
#include "data/process/memory.h"
#include "data/process/progress.h"
#include "trainer/train/checkpoint.h"
#include "trainer/train/run_log.h"

namespace dualpath::trainer {
namespace {

class Loop {
 public:
  Loop(const TrainJob& job, const TrainOptions& options, std::uint64_t seed,
       const data::Samples& samples, Objective& objective, Optimizer& optimizer)
      : job_(job),
        options_(options),
        samples_(samples),
        order_(samples.size(), seed),
        objective_(objective),
        optimizer_(optimizer),
        checkpoints_(job.directory, options.save_total_limit) {}

  LoopResult run() {
    LoopResult result;
    checkpoints_.prune();
    result.resumed = saved_ = checkpoints_.load_last(optimizer_, job_.fingerprint);
    std::filesystem::create_directories(job_.directory);
    RunLog log(job_.directory / "log.jsonl", result.resumed);
    if (job_.events && result.resumed < options_.max_steps)
      events_.emplace(*job_.events, result.resumed + 1);
    Progress progress(job_.label, options_.max_steps, "steps");
    progress.resume_at(result.resumed);
    for (std::int64_t step = result.resumed; step < options_.max_steps; ++step) {
      failpoint("train.step");
      report(step, train_step(step), progress, log);
      save_if_due(step + 1);
      if (interrupted()) stop(step + 1);
    }
    result.steps = options_.max_steps;
    result.last = read_losses(log.last(), log.last().value("step", std::int64_t{0}));
    result.seconds = progress.elapsed_seconds();
    return result;
  }

 private:
  StepLosses train_step(std::int64_t step) {
    std::vector<data::Batch> batches;
    GlobalCount count;
    for (std::int64_t i = 0; i < options_.gradient_accumulation_steps; ++i) {
      const std::int64_t micro_step = step * options_.gradient_accumulation_steps + i;
      const auto chosen = order_.batch(micro_step, options_.per_device_train_batch_size);
      batches.push_back(samples_.batch(chosen));
      count.targets += batches.back().counted();
      count.tokens += batches.back().mask.sum().item<std::int64_t>();
    }
    const StepLosses losses = accumulate(step, batches, count);
    if (!losses.not_finite.empty())
      diverged(step, "the loss is not finite, first at " + losses.not_finite);
    gradient_norm_ = optimizer_.step(step);
    if (!std::isfinite(gradient_norm_)) diverged(step, "the gradient is not finite");
    tokens_ += count.tokens;
    return losses;
  }

  /// Accumulates a step's batches. A site that meets a value that is not finite throws before there
  /// is a loss.
  StepLosses accumulate(std::int64_t step, const std::vector<data::Batch>& batches,
                        const GlobalCount& count) {
    StepLosses losses;
    try {
      for (const data::Batch& batch : batches) losses += objective_.accumulate(batch, count);
    } catch (const Error& error) {
      diverged(step, error.what());
    }
    return losses;
  }

  [[noreturn]] void diverged(std::int64_t step, const std::string& what) const {
    const std::string good = saved_ > 0 ? checkpoints_.path(saved_).string() : "none";
    throw Error("{}: step {}: {}; last good checkpoint: {}", job_.label, step + 1, what, good);
  }

  void report(std::int64_t step, const StepLosses& losses, Progress& progress, RunLog& log) {
    const double seconds = std::max(progress.elapsed_seconds(), 1e-9);
    const double tokens_per_second = static_cast<double>(tokens_) / seconds;
    progress.advance(
        1, fmt::format("loss {:.4f}  {:.0f} tokens/s  {:.1f} GB", losses.total, tokens_per_second,
                       static_cast<double>(resident_bytes()) / 1e9));
    const bool last = step + 1 == options_.max_steps;
    if ((step + 1) % options_.logging_steps != 0 && !last) return;
    log.write({{"step", step + 1},
               {"loss", losses.total},
               {"kl", losses.kl},
               {"ce", losses.ce},
               {"hidden", losses.hidden},
               {"learning_rate", optimizer_.learning_rate(step)},
               {"grad_norm", gradient_norm_},
               {"tokens_per_second", tokens_per_second},
               {"resident_bytes", resident_bytes()}});
    if (events_) show(step, losses);
  }

  void show(std::int64_t step, const StepLosses& losses) {
    std::vector<data::Scalar> scalars{{"train/loss", losses.total},
                                      {"train/loss_kl", losses.kl},
                                      {"train/loss_ce", losses.ce},
                                      {"train/loss_hidden", losses.hidden},
                                      {"train/learning_rate", optimizer_.learning_rate(step)},
                                      {"train/grad_norm", gradient_norm_}};
    const auto stages = job_.corrections ? job_.corrections->stages() : std::vector<std::string>();
    for (const std::string& stage : stages)
      scalars.push_back({"correction/" + stage + "/norm", job_.corrections->norm(stage)});
    events_->write(step + 1, scalars);
  }

  void save_if_due(std::int64_t done) {
    if (done % options_.save_steps == 0 || done == options_.max_steps) save(done);
  }

  void save(std::int64_t done) {
    checkpoints_.save(done, optimizer_, job_.fingerprint);
    saved_ = done;
  }

  [[noreturn]] void stop(std::int64_t done) {
    if (saved_ != done) save(done);
    throw Interrupted("{}: interrupted after step {} of {}; the same command goes on from {}",
                      job_.label, done, options_.max_steps, checkpoints_.path(done).string());
  }

  const TrainJob& job_;
  const TrainOptions& options_;
  const data::Samples& samples_;
  data::WindowOrder order_;
  Objective& objective_;
  Optimizer& optimizer_;
  Checkpoints checkpoints_;
  std::optional<data::EventFile> events_;
  std::int64_t saved_ = 0, tokens_ = 0;
  double gradient_norm_ = 0.0;
};

}  // namespace

LoopResult train_loop(const TrainJob& job, const TrainOptions& options, std::uint64_t seed,
                      const data::Samples& samples, Objective& objective, Optimizer& optimizer) {
  return Loop(job, options, seed, samples, objective, optimizer).run();
}

}  // namespace dualpath::trainer
