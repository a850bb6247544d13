#include "trainer/processes/processes.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/jit/serialization/pickle.h>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <algorithm>
#include <cstdlib>
#include <future>
#include <thread>

#include "data/base/error.h"
#include "data/base/failpoint.h"
#include "data/process/interrupt.h"
#include "has_cuda.h"
#include "trainer/processes/backends.h"
#include "trainer/processes/network_address.h"
#include "trainer/processes/out_of_memory.h"
#include "trainer/processes/store_keys.h"

namespace dualpath::trainer {
namespace {

using at::Tensor;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr milliseconds kPause{20};  // between two looks at the store
constexpr seconds kPatience{5};     // with others, when something fails or all ends

/// The first line of what c10d or Gloo says, without the place in their sources.
std::string message_of(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  std::string text = torch_error ? torch_error->what_without_backtrace() : error.what();
  text = text.substr(0, text.find('\n'));
  const std::size_t place = text.starts_with("[/") ? text.find("] ") : std::string::npos;
  return place == std::string::npos ? text : text.substr(place + 2);
}

/// The store is gone, or does not answer.
struct StoreError : Error {
  using Error::Error;
};

/// Begins a call in a thread, which may be left behind.
template <class Call>
auto begin(const Call& call) {
  auto task = std::make_shared<std::packaged_task<decltype(call())()>>(call);
  auto result = task->get_future();
  std::thread([task] { (*task)(); }).detach();
  return result;
}

/// Runs a call to the store. If the network is gone it has no timeout of its own, so it is left
/// behind.
template <class Call>
auto within(seconds timeout, const Call& call) {
  auto result = begin(call);
  if (result.wait_for(timeout) != std::future_status::ready)
    throw StoreError("the store does not answer within {} s", timeout.count());
  try {
    return result.get();
  } catch (const std::exception& error) {
    throw StoreError("{}", message_of(error));
  }
}

/// c10d warns of host names that have no entry, and tells of each attempt to connect; what matters
/// becomes an error.
void silence_warnings() {
  ::setenv("TORCH_CPP_LOG_LEVEL", "ERROR", /*replace=*/0);
  c10::initLogging();
}

Tensor tensor_of(const std::string& bytes) {
  const Tensor tensor = at::empty({static_cast<std::int64_t>(bytes.size())}, at::kByte);
  std::copy(bytes.begin(), bytes.end(), tensor.mutable_data_ptr<std::uint8_t>());
  return tensor;
}

std::string bytes_in(const Tensor& tensor) {
  const auto* data = tensor.const_data_ptr<std::uint8_t>();
  return {data, data + tensor.numel()};
}

std::string bytes_of(const modules::NamedTensors& tensors) {
  c10::Dict<std::string, Tensor> dictionary;
  for (const auto& [name, tensor] : tensors) dictionary.insert(name, tensor.detach().cpu());
  const std::vector<char> bytes = torch::jit::pickle_save(dictionary);
  return {bytes.begin(), bytes.end()};
}

modules::NamedTensors tensors_in(const std::string& bytes) {
  const c10::IValue value = torch::jit::pickle_load({bytes.begin(), bytes.end()});
  modules::NamedTensors tensors;
  for (const auto& entry : value.toGenericDict())
    tensors[entry.key().toStringRef()] = entry.value().toTensor();
  return tensors;
}

c10::intrusive_ptr<c10d::Store> open_store(const Rendezvous& meeting, seconds timeout) {
  c10d::TCPStoreOptions options;
  options.port = meeting.port;
  options.isServer = meeting.first_hosts && meeting.rank == 0;
  options.waitWorkers = false;
  options.timeout = timeout;
  try {
    return c10::make_intrusive<c10d::PrefixStore>(
        meeting.prefix, c10::make_intrusive<c10d::TCPStore>(meeting.address, options));
  } catch (const std::exception& error) {
    const std::string fault = message_of(error);
    if (options.isServer)
      throw Error("process 0 cannot wait for the others on port {}: {}", meeting.port, fault);
    throw Error("process {}: the store at {}:{} was not reached within {} s: {}", meeting.rank,
                meeting.address, meeting.port, timeout.count(), fault);
  }
}

}  // namespace

struct Processes::Group {
  int rank, size;
  seconds timeout;
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::Backend> gloo = {},
                                    nccl = {};  // nccl is made when a tensor on CUDA comes first
  seconds given = timeout;                      ///< the time that the store is given to answer
  bool holds_store = false;
  bool has_left = false;
  int waits = 0;  // for the first process, so far
  std::vector<c10::intrusive_ptr<c10d::Work>> started = {};

  void set(const std::string& name, const std::string& value) const {
    within(given, [=, store = store] { store->set(name, value); });
  }
  bool has(const std::string& name) const {
    return within(given, [=, store = store] { return store->check({name}); });
  }
  std::string get(const std::string& name) const {
    return within(given, [=, store = store] { return store->get_to_str(name); });
  }

  /// Runs a call that blocks as long as another process may yet come. If one leaves, or a signal
  /// comes, it is left behind in a thread.
  template <class Call>
  auto while_all_stay(const Call& call) {
    auto result = begin(call);
    while (result.wait_for(kPause) != std::future_status::ready) {
      throw_if_interrupted();
      throw_if_any_leaves("start", seconds(0));
    }
    return result.get();
  }

  /// Throws if any process leaves within the time.
  void throw_if_any_leaves(const std::string& what, seconds time) {
    const auto end = steady_clock::now() + time;
    do {
      for (int other = 0; other < size; ++other) throw_if_left(what, other);
      if (time > seconds(0)) std::this_thread::sleep_for(kPause);
    } while (steady_clock::now() < end);
  }

  /// Waits for every process, and makes the connections.
  void connect(const NetworkWay& way, bool one_machine) {
    set(store_key("from", rank), way.from);
    set(store_key("to", rank), way.to);
    set(store_key("joined", rank), "");
    wait_for_all();
    std::vector<NetworkWay> ways;
    for (int other = 0; other < size; ++other)
      ways.push_back({get(store_key("from", other)), get(store_key("to", other))});
    const auto interface = environment_variable("GLOO_SOCKET_IFNAME");
    const bool by_interface = interface && !one_machine;
    failpoint(fmt::format("processes.connect.{}", rank));
    const std::string from = by_interface ? *interface : address_among(ways, rank, one_machine);
    try {
      // Waiting in a store holds it, so Gloo gets one of its own.
      gloo = while_all_stay(
          [store = store->clone(), rank = rank, size = size, timeout = timeout, from,
           by_interface] { return gloo_backend(store, rank, size, timeout, from, by_interface); });
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      throw_if_any_leaves("start", seconds(1));  // a connection fails before its reason is told
      throw Error(
          "process {} of {}: no connection to the others from {}: {} (GLOO_SOCKET_IFNAME names the "
          "network's interface)",
          rank, size, from, message_of(error));
    }
  }

  void wait_for_all() {
    const auto end = steady_clock::now() + timeout;
    for (int other = 0; other < size; ++other) {
      while (!has(store_key("joined", other))) {
        throw_if_interrupted();
        throw_if_left("start", other);
        if (steady_clock::now() > end) {
          throw Error("process {} of {} has not come within {} s", other, size, timeout.count());
        }
        std::this_thread::sleep_for(kPause);
      }
    }
  }

  c10d::Backend& backend(const Tensor& tensor) {
    if (!tensor.is_cuda()) return *gloo;
    if constexpr (kHasCuda) {
      if (!nccl) nccl = nccl_backend(store->clone(), rank, size, timeout);
    }
    TORCH_CHECK(nccl, "no process group for ", tensor.device());
    return *nccl;
  }

  /// Runs what needs the other processes; if it fails for another reason than this one's memory,
  /// finds out why.
  template <class Work>
  void with_others(const std::string& what, const Work& work) {
    try {
      work();
    } catch (const std::exception& error) {
      if (is_out_of_memory(error)) throw;
      fail(what, message_of(error));
    }
  }

  template <class Start>
  void run_each(const std::string& what, const std::vector<Tensor>& tensors, const Start& start) {
    with_others(what, [&] {
      std::vector<c10::intrusive_ptr<c10d::Work>> works;
      for (std::size_t i = 0; i < tensors.size(); ++i) {
        std::vector<Tensor> one{tensors[i]};
        works.push_back(start(backend(tensors[i]), one, i));
      }
      for (const auto& work : works) work->wait();
    });
  }

  void start_sum(const std::string& what, const Tensor& tensor, std::optional<int> root) {
    with_others(what, [&] {
      std::vector<Tensor> one{tensor};
      c10d::Backend& via = backend(tensor);
      started.push_back(root ? via.reduce(one, c10d::ReduceOptions{.rootRank = *root})
                             : via.allreduce(one));
    });
  }

  void finish(const std::string& what) {
    with_others(what, [&] {
      for (const auto& work : std::exchange(started, {})) work->wait();
    });
  }

  /// Finds out who is gone, and throws.
  [[noreturn]] void fail(const std::string& what, const std::string& fault) {
    given = std::min(timeout, kPatience);
    leave(kLost + what);
    throw_if_interrupted();  // all are told to stop, and somebody was faster
    std::vector<int> silent;
    const auto end = steady_clock::now() + given;
    try {
      for (int other = 0; other < size; ++other) {
        while (!has(left_key(other)) && steady_clock::now() < end && !interrupted())
          std::this_thread::sleep_for(kPause);
        if (has(left_key(other))) {
          throw_if_left(what, other);
        } else {
          silent.push_back(other);
        }
      }
    } catch (const StoreError&) {
      throw Error("{}: process 0 of {}, or the launcher, is gone: {}", what, size, fault);
    }
    if (silent.size() == 1) {
      throw Error("{}: process {} of {} is gone without a word (killed, or cut off): {}", what,
                  silent.front(), size, fault);
    }
    if (silent.size() > 1) {
      throw Error(
          "{}: one of the processes {} of {} is gone without a word (killed, or cut off): {}", what,
          fmt::join(silent, ", "), size, fault);
    }
    throw Error("{}: {}", what, fault);
  }

  void wait_for_first(const std::string& what) {
    const std::string done = store_key("done", waits++);
    try {
      if (rank == 0) return set(done, "");
      while (!has(done)) {
        throw_if_left(what, 0);
        if (has(left_key(0))) fail(what, "process 0 has stopped");
        std::this_thread::sleep_for(kPause);
      }
    } catch (const StoreError& error) {
      fail(what, error.what());
    }
  }

  /// Throws if a process has left for a reason of its own.
  void throw_if_left(const std::string& what, int other) {
    if (!has(left_key(other))) return;
    const std::string reason = get(left_key(other));
    if (reason.front() == kOwn)
      throw Error("{}: process {} of {} has stopped: {}", what, other, size, reason.substr(1));
  }

  /// Tells the holder of the store that this process needs it no more; the holder waits for all.
  void end() noexcept {
    try {
      given = kPatience;
      set(store_key("ended", rank), "");
      const auto end = steady_clock::now() + kPatience;
      for (int other = 0; holds_store && other < size; ++other) {
        while (!has(store_key("ended", other)) && steady_clock::now() < end)
          std::this_thread::sleep_for(kPause);
      }
    } catch (const std::exception&) {  // the store is gone already
    }
  }

  void leave(const std::string& reason) {
    if (std::exchange(has_left, true)) return;
    try {
      set(left_key(rank), reason);
    } catch (const std::exception&) {  // the store is gone, and with it who could read it
    }
  }
};

Processes::Processes() = default;

Processes::~Processes() {
  if (group_) group_->end();
}

Processes::Processes(const Rendezvous& meeting, seconds timeout)
    : rank_(meeting.rank),
      size_(meeting.size),
      local_rank_(meeting.local_rank),
      local_size_(meeting.local_size) {
  if (size_ == 1) return;
  silence_warnings();
  group_ = std::make_unique<Group>(Group{
      .rank = rank_, .size = size_, .timeout = timeout, .store = open_store(meeting, timeout)});
  group_->holds_store = meeting.first_hosts && meeting.rank == 0;
  try {
    group_->connect(way_to(meeting.address), local_size_ == size_);
  } catch (const std::exception& error) {
    leave(error.what());
    throw;
  }
}

Processes& Processes::alone() {
  static Processes alone;
  return alone;
}

void Processes::leave(const std::string& reason) noexcept {
  if (group_) group_->leave(kOwn + reason);
}

template <class Work>
void Processes::timed(const Work& work) {
  const auto begin = steady_clock::now();
  work();
  communication_seconds_ += std::chrono::duration<double>(steady_clock::now() - begin).count();
}

template <class Start>
void Processes::run_each(const std::string& what, const std::vector<Tensor>& tensors,
                         const Start& start) {
  timed([&] { group_->run_each(what, tensors, start); });
}

void Processes::wait_for_first(const std::string& what) {
  if (group_) group_->wait_for_first(what);
}

void Processes::sum(const std::string& what, std::vector<Tensor> tensors) {
  if (!group_) return;
  run_each(what, tensors, [](c10d::Backend& backend, std::vector<Tensor>& one, std::size_t) {
    return backend.allreduce(one);
  });
}

void Processes::start_sum(const std::string& what, const Tensor& tensor, std::optional<int> root) {
  if (!group_) return;
  timed([&] { group_->start_sum(what, tensor, root); });
}

void Processes::forget_started() noexcept {
  if (group_) group_->started.clear();
}

void Processes::finish(const std::string& what) {
  if (!group_) return;
  timed([&] { group_->finish(what); });
}

void Processes::spread(const std::string& what, std::vector<Tensor> tensors,
                       const std::vector<int>& roots) {
  if (!group_) return;
  run_each(what, tensors, [&](c10d::Backend& backend, std::vector<Tensor>& one, std::size_t i) {
    return backend.broadcast(one, c10d::BroadcastOptions{.rootRank = roots[i]});
  });
}

std::string Processes::broadcast(const std::string& what, const std::string& text) {
  return gather(what, is_first() ? text : std::string()).front();
}

modules::NamedTensors Processes::broadcast(const std::string& what,
                                           const modules::NamedTensors& tensors) {
  if (!group_) return tensors;
  return tensors_in(broadcast(what, is_first() ? bytes_of(tensors) : std::string()));
}

std::vector<std::string> Processes::gather(const std::string& what, const std::string& text) {
  if (!group_) return {text};
  const Tensor lengths = at::zeros({size_}, at::kLong);
  lengths[rank_] = static_cast<std::int64_t>(text.size());
  sum(what, {lengths});
  std::vector<std::string> texts;
  for (int from = 0; from < size_; ++from) {
    const Tensor bytes = from == rank_ ? tensor_of(text)
                                       : at::empty({lengths[from].item<std::int64_t>()}, at::kByte);
    if (bytes.numel() > 0) spread(what, {bytes}, {from});
    texts.push_back(bytes_in(bytes));
  }
  return texts;
}

std::vector<modules::NamedTensors> Processes::gather(const std::string& what,
                                                     const modules::NamedTensors& tensors) {
  if (!group_) return {tensors};
  std::vector<modules::NamedTensors> all;
  for (const std::string& bytes : gather(what, bytes_of(tensors))) all.push_back(tensors_in(bytes));
  return all;
}

ProcessShare share_of(const Processes& processes, std::size_t count) {
  const auto rank = static_cast<std::size_t>(processes.rank()),
             size = static_cast<std::size_t>(processes.size());
  return {count * rank / size, count * (rank + 1) / size};
}

}  // namespace dualpath::trainer
