// How OpenMP's threads wait for one another, chosen before OpenMP is there.
//
// libgomp's threads spin at the end of each parallel region, by default for some milliseconds.
// Where another program has one of the cores, the thread that is waited for may not be running, and
// a training step is thousands of regions: it takes many times as long. After 3 000 turns, a
// hundredth of libgomp's own, the threads sleep instead; a machine that is otherwise idle does not
// show it (tools/bench/busy.py). libgomp reads the environment when it is loaded, which is before
// main(), so this program starts itself again, with the variable set, before any library has been
// initialized.
//
// A user's own GOMP_SPINCOUNT or OMP_WAIT_POLICY is left alone.

#include <alloca.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <climits>
#include <cstddef>

namespace {

constexpr char kSpinCount[] = "GOMP_SPINCOUNT=3000";
constexpr char kWaitPolicy[] = "OMP_WAIT_POLICY=";

// Runs before the C library and the sanitizers are ready, so nothing but a system call is used.
#define DUALPATH_EARLY __attribute__((no_sanitize("address", "undefined")))

/// Whether entry is "NAME=…" of the same name as `variable`.
DUALPATH_EARLY bool names(const char* entry, const char* variable) {
  while (*variable != '=' && *entry == *variable) ++entry, ++variable;
  return *entry == '=' && *variable == '=';
}

DUALPATH_EARLY void choose(int /*argc*/, char** argv, char** environment) {
  if (::getauxval(AT_BASE) == 0) return;  // started by the loader's own name, which is what runs
  char program[PATH_MAX];                 // by its name, which tools for processes show
  const ssize_t length = ::readlink("/proc/self/exe", program, sizeof(program) - 1);
  if (length < 0) return;
  program[length] = '\0';
  std::size_t count = 0;
  for (; environment[count] != nullptr; ++count)
    if (names(environment[count], kSpinCount) || names(environment[count], kWaitPolicy)) return;
  auto** chosen = static_cast<const char**>(alloca((count + 2) * sizeof(char*)));
  for (std::size_t i = 0; i < count; ++i) chosen[i] = environment[i];
  chosen[count] = kSpinCount;
  chosen[count + 1] = nullptr;
  ::execve(program, argv, const_cast<char**>(chosen));  // if it fails, all goes on slower
}

using Early = void (*)(int, char**, char**);
__attribute__((section(".preinit_array"), used)) const Early kChoose = choose;

}  // namespace
