#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "data/samples/batch.h"
#include "modules/network/network.h"
#include "quant/compare/paired_forward.h"
#include "trainer/train/objective.h"
#include "trainer/train/train_loop.h"

namespace dualpath::trainer {

/// Where both paths of every pass of a run stand: at the network's start, and then behind as many
/// blocks as have been trained. Hidden states of all passes are kept in memory.
class BlockStates {
 public:
  BlockStates(BatchSource batches, std::int64_t passes, at::Device device)
      : batches_(std::move(batches)), passes_(passes), device_(device) {}

  /// A pass's batch; behind the first block without pictures and clips. May be called from several
  /// threads at once.
  data::Batch batch(std::int64_t pass) const;
  quant::PairedStates of(const Pass& pass) const;

  /// Takes the reference's state behind the block that is being trained, so that advance() need not
  /// find it again. The pass has no of() any more until then. The first block's are not taken.
  void keep_reference(std::int64_t pass, const modules::State& behind);
  /// Takes every pass through the block that was trained, from errors that the blocks before it
  /// made to those that it makes itself. done: called after each pass.
  void advance(const modules::Network& block, modules::Executor& reference,
               modules::Executor& corrected, const std::function<void()>& done);

  /// Bytes of the hidden states kept.
  std::int64_t bytes() const;

 private:
  struct Kept {
    data::Batch batch;
    quant::PairedStates states;
    bool reference_is_behind = false;  ///< the block that is being trained
  };
  Kept start(std::int64_t pass) const;

  BatchSource batches_;
  std::int64_t passes_;
  at::Device device_;
  std::vector<Kept> kept_;  ///< a pass each; empty before the first block
};

/// The repair of one block, from the states before it.
class BlockObjective : public Objective {
 public:
  /// paired: of the block's network. Both must outlive the objective.
  BlockObjective(PairedObjective& paired, BlockStates& states) : paired_(paired), states_(states) {}
  UnreadLosses run(const Pass& pass) override {
    modules::State behind;
    const UnreadLosses losses = paired_.run_from(states_.of(pass), pass, behind);
    states_.keep_reference(pass.number, behind);
    return losses;
  }
  bool is_collective() const override { return paired_.is_collective(); }

 private:
  PairedObjective& paired_;
  BlockStates& states_;
};

}  // namespace dualpath::trainer
