#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "modules/config/modality.h"

namespace dualpath::modules {

/// Keys and values seen so far, by attention name; each [B, kv_heads, S, D], of whatever dtype the
/// executor keeps them in. It keeps room for as many again, so that n tokens, one at a time, cost n
/// appends and not n²; bits are as of one cat.
class KvCache {
 public:
  /// Appends k, v: [B, kv_heads, T, D] and returns all so far, views that the next append() leaves
  /// as they are.
  std::pair<at::Tensor, at::Tensor> append(const std::string& name, const at::Tensor& k,
                                           const at::Tensor& v);
  /// Positions held; 0 before the first append.
  std::int64_t length() const;

  /// The rotary position of what comes next. It is the length until somebody says otherwise: a
  /// picture takes fewer positions than tokens (M-RoPE).
  std::int64_t next_position() const { return length() - saved_positions_; }
  /// So many tokens took no position of their own.
  void save_positions(std::int64_t count) { saved_positions_ += count; }

 private:
  struct Entry {
    at::Tensor keys, values;  // with room behind `length`
    std::int64_t length = 0;
  };
  std::map<std::string, Entry> entries_;
  std::int64_t saved_positions_ = 0;
};

/// Cosines and sines by position, each [B, T, dim / 2] float32, and which dimensions are a pair: i
/// and i + dim / 2, or 2i and 2i + 1.
struct RotationTable {
  at::Tensor cos, sin;
  bool interleaved = false;
};

/// A batch on its way through stages of one kind: a decoder's, or a tower's. Padding lies on the
/// right; `mask` keeps it out of attention that is not causal, statistics, losses and metrics.
struct Stream {
  /// A tower's first: pixels [B, 3, H, W]; patches [B, T, values]; or features [B, T, mels].
  at::Tensor input;
  /// [B, T, H] in the executor's compute dtype; undefined before the first stage.
  at::Tensor hidden;
  at::Tensor mask;  ///< [B, T] bool, false = padding
  /// Of images: [B, 2] int64 on the CPU, the rows and columns of patches that each has in hidden
  /// (before the first stage: in input), behind `leading` others (a class token).
  at::Tensor grid;
  std::int64_t leading = 0;
  /// Of images of several sizes: [B, T, 2] int64, row and column of each patch; made by the first
  /// stage out of the grid.
  at::Tensor places;
  RotationTable rotation;  ///< of the positions; made by the first stage
};

/// What travels from stage to stage: the decoder's stream, and one for each tower that has
/// something to do. A tower's batch is of its own samples: the pictures of all texts, in order.
struct State : Stream {
  at::Tensor ids;        ///< [B, T] int64
  at::Tensor positions;  ///< [B, T] int64; [3, B, T]: times, rows and columns (M-RoPE)
  /// [B, T] int8, the Modality that each position stands for; undefined: all of them for text.
  at::Tensor kinds;
  std::map<Modality, Stream> towers;
  KvCache* cache = nullptr;
  bool recomputed = false;  ///< a stage runs again, for backward: observe, count and cache nothing

  /// kText: the decoder's own. Another that is not there is made.
  Stream& stream(Modality modality) {
    return modality == Modality::kText ? *this : towers[modality];
  }
  const Stream& stream(Modality modality) const {
    return modality == Modality::kText ? *this : towers.at(modality);
  }
  bool has(Modality modality) const {
    return modality == Modality::kText || towers.contains(modality);
  }
};

/// A state at the first stage. ids, mask: [B, T], on one device, where positions are, too; they
/// start behind what the cache holds.
State make_state(const at::Tensor& ids, const at::Tensor& mask, KvCache* cache = nullptr);
/// The same, without padding.
State make_state(const at::Tensor& ids, KvCache* cache = nullptr);

}  // namespace dualpath::modules
