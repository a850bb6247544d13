// Chooses how OpenMP's threads wait for one another, before OpenMP is loaded.
//
// libgomp's threads spin at the end of each parallel region, by default for some milliseconds. If
// another program has one of the cores, the awaited thread may not be running. A training step is
// thousands of regions, so it then takes many times as long. After 3 000 turns, a hundredth of
// libgomp's own, the threads sleep instead; on an otherwise idle machine that costs nothing
// (tools/bench/busy.py). libgomp reads the environment when it is loaded, before main(). So this
// program starts itself again, with the variable set, before any library has been initialized.
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

/// Whether entry is "NAME=…" with the name of `variable`.
DUALPATH_EARLY bool names(const char* entry, const char* variable) {
  while (*variable != '=' && *entry == *variable) ++entry, ++variable;
  return *entry == '=' && *variable == '=';
}

DUALPATH_EARLY void choose(int /*argc*/, char** argv, char** environment) {
  if (::getauxval(AT_BASE) == 0) return;  // started by the loader's own name, which runs
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
