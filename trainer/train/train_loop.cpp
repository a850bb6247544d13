#include "trainer/train/train_loop.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "data/base/error.h"
#include "data/base/failpoint.h"
#include "data/formats/event_file.h"
#include "data/process/interrupt.h"
#include "data/process/memory.h"
#include "data/process/progress.h"
#include "data/samples/read_ahead.h"
#include "trainer/processes/same_tensors.h"
#include "trainer/train/checkpoint.h"
#include "trainer/train/run_log.h"
#include "trainer/train/step_batches.h"

namespace dualpath::trainer {
namespace {

class Loop {
 public:
  Loop(const TrainJob& job, const TrainOptions& options, BatchSource batches, Objective& objective,
       Optimizer& optimizer)
      : job_(job),
        options_(options),
        batches_(std::move(batches)),
        objective_(objective),
        optimizer_(optimizer),
        processes_(job.processes),
        checkpoints_(job.directory, options.save_total_limit, job.processes) {}

  LoopResult run() {
    LoopResult result;
    checkpoints_.prune();
    result.resumed = saved_ = checkpoints_.load_last(optimizer_, job_.fingerprint, job_.none_whole);
    require_same(processes_, "parameters", optimizer_.parameters());
    if (processes_.is_first()) open_logs(result.resumed);
    Progress progress(job_.label, options_.max_steps, "steps");
    progress.resume_at(result.resumed);
    ahead_.emplace(batches_, first_pass(result.resumed), first_pass(options_.max_steps));
    for (std::int64_t step = result.resumed; step < options_.max_steps; ++step) {
      failpoint("train.step");
      report(step, train_step(step), progress);
      save_if_due(step + 1);
      if (is_interrupted_) stop(step + 1);
    }
    result.steps = options_.max_steps;
    if (log_) result.last = read_losses(log_->last(), log_->last().value("step", std::int64_t{0}));
    result.seconds = progress.elapsed_seconds();
    return result;
  }

 private:
  void open_logs(std::int64_t resumed) {
    std::filesystem::create_directories(job_.directory);
    log_.emplace(job_.directory / "log.jsonl", resumed);
    if (job_.events && resumed < options_.max_steps) events_.emplace(*job_.events, resumed + 1);
  }

  StepLosses train_step(std::int64_t step) {
    const std::vector<data::Batch> batches = next_batches();
    const GlobalCount count = global_count(batches);
    const Outcome own = accumulate(step, batches, count);
    const StepLosses losses = agreed(step, own);
    optimizer_.gradients().finish();
    gradient_norm_ = is_alone() ? own.gradient_norm : optimizer_.gradient_norm();
    if (!std::isfinite(gradient_norm_)) diverged(step, "the gradient is not finite");
    optimizer_.step(step, gradient_norm_);
    tokens_ += count.tokens;
    return losses;
  }

  /// This process's batches of the next step.
  std::vector<data::Batch> next_batches() {
    std::vector<data::Batch> batches;
    for (std::int64_t i = 0; i < options_.gradient_accumulation_steps; ++i)
      batches.push_back(ahead_->next());
    return batches;
  }

  /// The number of a step's first pass.
  std::int64_t first_pass(std::int64_t step) const {
    return step * options_.gradient_accumulation_steps;
  }

  GlobalCount global_count(const std::vector<data::Batch>& batches) {
    const torch::Tensor counts = torch::zeros({2}, torch::kLong);
    auto* count = counts.mutable_data_ptr<std::int64_t>();
    for (const data::Batch& batch : batches) {
      const GlobalCount own = objective_.count(batch);
      count[0] += own.targets;
      count[1] += own.tokens;
    }
    processes_.sum(job_.label, {counts});
    return {.targets = count[0], .tokens = count[1]};
  }

  /// The losses of a process's batches, or the error that ended them.
  struct Outcome {
    StepLosses losses;
    double gradient_norm = 0.0;  ///< of this process's gradients, if it is alone
    double seconds = 0.0;        ///< this process's own work
    std::string error;
  };

  bool is_alone() const { return processes_.size() == 1; }

  /// Accumulates a step's batches, and waits for the device once: losses, norm and the counts of
  /// all sites are read together. A site that meets a value that is not finite throws. Gradients
  /// leave for the other processes during the last backward pass, which wait for them even if this
  /// one meets an error.
  Outcome accumulate(std::int64_t step, const std::vector<data::Batch>& batches,
                     const GlobalCount& count) {
    Outcome outcome;
    const auto begin = std::chrono::steady_clock::now();
    const double communication = processes_.communication_seconds();
    bool has_sent = false;
    try {
      modules::DeviceCounts counts;
      std::vector<UnreadLosses> unread;
      for (const data::Batch& batch : batches) {
        Pass pass{batch, count, first_pass(step) + static_cast<std::int64_t>(unread.size())};
        if (&batch == &batches.back())
          pass.before_backward = [&] { optimizer_.gradients().follow_backward(); };
        unread.push_back(objective_.run(pass));
      }
      optimizer_.gradients().send_rest();
      has_sent = true;
      // Gradients of several processes are whole only when their sums are finished.
      const torch::Tensor norm = is_alone() ? optimizer_.squared_gradient_norm() : torch::Tensor();
      const StepReading read = read_step(unread, norm, counts);
      outcome.losses = read.losses;
      outcome.gradient_norm = read.gradient_norm;
    } catch (const Interrupted&) {  // while waiting for a process that has left
      throw;
    } catch (const Error& error) {
      if (objective_.is_collective() && !has_sent) diverged(step, error.what());
      if (!has_sent) optimizer_.gradients().send_rest();
      outcome.error = error.what();
    }
    if (outcome.error.empty() && !outcome.losses.not_finite.empty())
      outcome.error = "the loss is not finite, first at " + outcome.losses.not_finite;
    outcome.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() -
        (processes_.communication_seconds() - communication);
    return outcome;
  }

  /// Sums the losses over the processes. One's error becomes everyone's, and so does a signal.
  StepLosses agreed(std::int64_t step, const Outcome& own) {
    const torch::Tensor sums =
        torch::tensor({own.losses.total, own.losses.kl, own.losses.ce, own.losses.hidden,
                       own.losses.task, own.error.empty() ? 0.0 : 1.0, interrupted() ? 1.0 : 0.0},
                      torch::kDouble);
    const torch::Tensor seconds = torch::zeros({processes_.size()}, torch::kDouble);
    seconds[processes_.rank()] = own.seconds;
    processes_.sum(job_.label, {sums, seconds});
    seconds_by_process_.assign(seconds.const_data_ptr<double>(),
                               seconds.const_data_ptr<double>() + seconds.numel());
    const auto* sum = sums.const_data_ptr<double>();
    if (sum[5] > 0.0) throw_first(step, processes_.gather(job_.label, own.error));
    is_interrupted_ = sum[6] > 0.0;
    return {.total = sum[0],
            .kl = sum[1],
            .ce = sum[2],
            .hidden = sum[3],
            .task = sum[4],
            .task_name = own.losses.task_name,
            .not_finite = ""};
  }

  [[noreturn]] void throw_first(std::int64_t step, const std::vector<std::string>& errors) const {
    const auto first = std::ranges::find_if(errors, [](const auto& error) { return error != ""; });
    if (errors.size() == 1) diverged(step, *first);
    diverged(step, fmt::format("process {}: {}", first - errors.begin(), *first));
  }

  [[noreturn]] void diverged(std::int64_t step, const std::string& what) const {
    const std::string good = saved_ > 0 ? checkpoints_.path(saved_).string() : "none";
    throw Error("{}: step {}: {}; last good checkpoint: {}", job_.label, step + 1, what, good);
  }

  void report(std::int64_t step, const StepLosses& losses, Progress& progress) {
    const double seconds = std::max(progress.elapsed_seconds(), 1e-9);
    const double tokens_per_second = static_cast<double>(tokens_) / seconds;
    progress.advance(
        1, fmt::format("loss {:.4f}  {:.0f} tokens/s  {:.1f} GB{}", losses.total, tokens_per_second,
                       static_cast<double>(resident_bytes()) / 1e9, starved_text(seconds)));
    const bool last = step + 1 == options_.max_steps;
    if (!log_ || ((step + 1) % options_.logging_steps != 0 && !last)) return;
    nlohmann::json line{{"step", step + 1},
                        {"loss", losses.total},
                        {"kl", losses.kl},
                        {"ce", losses.ce},
                        {"hidden", losses.hidden},
                        {"learning_rate", optimizer_.learning_rate(step)},
                        {"grad_norm", gradient_norm_},
                        {"tokens_per_second", tokens_per_second},
                        {"resident_bytes", resident_bytes()}};
    if (!losses.task_name.empty()) line[losses.task_name] = losses.task;
    if (!is_alone()) {
      line["process_seconds"] = seconds_by_process_;  // of this step, without communication
      line["communication_seconds"] = processes_.communication_seconds();  // since the start
    }
    log_->write(line);
    if (events_) show(step, losses);
  }

  /// The share of the time that steps have waited for batches, if it is worth a word.
  std::string starved_text(double seconds) const {
    constexpr double kWorthAWord = 0.05;
    const double share = ahead_->waited_seconds() / seconds;
    return share < kWorthAWord ? "" : fmt::format("  waits for data {:.0f} %", 100 * share);
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
  BatchSource batches_;
  Objective& objective_;
  Optimizer& optimizer_;
  Processes& processes_;
  Checkpoints checkpoints_;
  std::optional<RunLog> log_;  // the first process's
  std::optional<data::EventFile> events_;
  bool is_interrupted_ = false;  // any process
  std::vector<double> seconds_by_process_;
  std::int64_t saved_ = 0, tokens_ = 0;
  double gradient_norm_ = 0.0;
  std::optional<data::ReadAhead> ahead_;  // the last member: its threads use the others
};

}  // namespace

LoopResult train_loop(const TrainJob& job, const TrainOptions& options, const BatchSource& batches,
                      Objective& objective, Optimizer& optimizer) {
  return Loop(job, options, batches, objective, optimizer).run();
}

LoopResult train_loop(const TrainJob& job, const TrainOptions& options, std::uint64_t seed,
                      const data::Samples& samples, Objective& objective, Optimizer& optimizer) {
  StepBatches batches(samples, options, seed, job.processes);
  return train_loop(
      job, options, [&](std::int64_t pass) { return batches.batch(pass); }, objective, optimizer);
}

}  // namespace dualpath::trainer
