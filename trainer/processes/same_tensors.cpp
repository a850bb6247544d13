#include "trainer/processes/same_tensors.h"

#include <ATen/ATen.h>

#include "data/base/error.h"
#include "data/files/checksum.h"

namespace dualpath::trainer {
namespace {

std::string hash_of(const modules::NamedTensors& tensors) {
  Sha256 hash;
  for (const auto& [name, tensor] : tensors) {
    hash.update(std::as_bytes(std::span(name)));
    const at::Tensor values = tensor.detach().cpu().contiguous();
    hash.update(std::span(static_cast<const std::byte*>(values.const_data_ptr()), values.nbytes()));
  }
  return hash.hex();
}

}  // namespace

void require_same(Processes& processes, const std::string& what,
                  const modules::NamedTensors& tensors) {
  if (processes.size() == 1) return;
  const std::vector<std::string> all = processes.gather(what, hash_of(tensors));
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank] != all.front())
      throw Error("process {} has other {} than process 0: are the processors of one kind?", rank,
                  what);
  }
}

}  // namespace dualpath::trainer
