#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "modules/config/modality.h"

namespace dualpath::modules {

/// Keys and values seen so far, by attention name. Each is [B, kv_heads, S, D], in the dtype that
/// the executor keeps. There is room for as many again, so that n tokens, one at a time, cost n
/// appends and not n². Bits equal one cat's.
class KvCache {
 public:
  /// Appends k, v: [B, kv_heads, T, D] and returns all so far, as views. The next append() leaves
  /// them unchanged.
  std::pair<at::Tensor, at::Tensor> append(const std::string& name, const at::Tensor& k,
                                           const at::Tensor& v);
  /// Positions held; 0 before the first append.
  std::int64_t length() const;

  /// The rotary position of the next token. It is the length unless positions were saved: a picture
  /// takes fewer positions than tokens (M-RoPE).
  std::int64_t next_position() const { return length() - saved_positions_; }
  /// Tells that so many tokens took no position of their own.
  void save_positions(std::int64_t count) { saved_positions_ += count; }

 private:
  struct Entry {
    at::Tensor keys, values;  // have room behind `length`
    std::int64_t length = 0;
  };
  std::map<std::string, Entry> entries_;
  std::int64_t saved_positions_ = 0;
};

/// Cosines and sines by position, each [B, T, dim / 2] float32. Pairs are dimensions i and i + dim
/// / 2, or 2i and 2i + 1.
struct RotationTable {
  at::Tensor cos, sin;
  bool interleaved = false;
};

/// A batch on its way through stages of one kind: a decoder's, or a tower's. Padding lies on the
/// right; `mask` keeps it out of attention that is not causal, statistics, losses and metrics.
struct Stream {
  /// A tower's input: pixels [B, 3, H, W]; patches [B, T, values]; or features [B, T, mels].
  at::Tensor input;
  /// [B, T, H] in the executor's compute dtype. Undefined before the first stage.
  at::Tensor hidden;
  at::Tensor mask;  ///< [B, T] bool, false = padding
  /// Images' grids: [B, 2] int64 on the CPU, the rows and columns of patches that each has in
  /// hidden (before the first stage: in input), behind `leading` others (a class token).
  at::Tensor grid;
  std::int64_t leading = 0;
  /// Places of images of several sizes: [B, T, 2] int64, row and column of each patch. The first
  /// stage makes them from the grid.
  at::Tensor places;
  RotationTable rotation;  ///< the positions'; made by the first stage
};

/// A batch's state between stages: the decoder's stream, and one for each tower that has work. A
/// tower's batch is of its own samples: the pictures of all texts, in order.
struct State : Stream {
  at::Tensor ids;        ///< [B, T] int64
  at::Tensor positions;  ///< [B, T] int64; [3, B, T]: times, rows and columns (M-RoPE)
  /// [B, T] int8, the Modality that each position stands for. If undefined, all stand for text.
  at::Tensor kinds;
  /// ids, mask and kinds on the host, if the state is on another device: work on the host (places
  /// of pictures) reads them there. Undefined if nobody told.
  struct OnHost {
    at::Tensor ids, mask, kinds;
  } on_host;
  std::map<Modality, Stream> towers;
  KvCache* cache = nullptr;
  bool recomputed = false;  ///< a stage runs again, for backward: observe, count and cache nothing

  /// The decoder's own stream for kText. Makes another modality's if it is missing.
  Stream& stream(Modality modality) {
    return modality == Modality::kText ? *this : towers[modality];
  }
  const Stream& stream(Modality modality) const {
    return modality == Modality::kText ? *this : towers.at(modality);
  }
  bool has(Modality modality) const {
    return modality == Modality::kText || towers.contains(modality);
  }
  /// The decoder's mask and kinds, as the host reads them.
  at::Tensor mask_on_host() const { return on_host.mask.defined() ? on_host.mask : mask.cpu(); }
  at::Tensor kinds_on_host() const { return on_host.kinds.defined() ? on_host.kinds : kinds.cpu(); }
};

/// Makes a state at the first stage. ids, mask: [B, T], on one device, where positions are, too.
/// Positions start behind what the cache holds.
State make_state(const at::Tensor& ids, const at::Tensor& mask, KvCache* cache = nullptr);
/// Makes a state without padding.
State make_state(const at::Tensor& ids, KvCache* cache = nullptr);

}  // namespace dualpath::modules
