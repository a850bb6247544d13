#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>

#include "data/base/error.h"
#include "data/base/interrupt.h"
#include "data/base/memory.h"
#include "tools/commands/command.h"

namespace {

int run(int argc, char** argv) {
  CLI::App app{
      "DualPath: repairs quantized language models with trained corrections on paired paths"};
  app.require_subcommand(1);
  app.footer(
      "Example:\n  dualpath train recipes/quickstart.yaml\nExit: 0 done, 1 failure, 2 usage or "
      "recipe error, "
      "130 interrupted (state saved)");
  dualpath::tools::add_plan(app);
  dualpath::tools::add_calibrate(app);
  dualpath::tools::add_train(app);
  dualpath::tools::add_evaluate(app);
  dualpath::tools::add_export(app);
  dualpath::tools::add_generate(app);
  dualpath::tools::add_inspect(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? dualpath::kDone : dualpath::kUsage;
  }
  return dualpath::kDone;
}

}  // namespace

int main(int argc, char** argv) {
  dualpath::install_interrupt_handlers();
  dualpath::keep_freed_memory();
  try {
    return run(argc, argv);
  } catch (const dualpath::Error& error) {
    fmt::print(stderr, "dualpath: {}\n", error.what());
    return error.exit_code();
  } catch (const c10::Error& error) {
    fmt::print(stderr, "dualpath: internal error: {}\n", error.what_without_backtrace());
  } catch (const std::exception& error) {
    fmt::print(stderr, "dualpath: {}\n", error.what());
  }
  return dualpath::kFailure;
}
