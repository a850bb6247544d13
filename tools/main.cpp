#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <exception>
#include <sstream>

#include "data/base/error.h"
#include "data/process/interrupt.h"
#include "data/process/memory.h"
#include "data/process/stack.h"
#include "data/process/standard_streams.h"
#include "tools/commands/command.h"

namespace {

int run(int argc, char** argv) {
  CLI::App app{
      "DualPath: repairs quantized language models with trained corrections on paired paths"};
  app.require_subcommand(1);
  app.set_version_flag("--version", fmt::format("dualpath {}", dualpath::tools::version()));
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
  dualpath::tools::add_data(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, notice;
    const int code = app.exit(error, out, notice);
    dualpath::write_notice(notice.str());
    dualpath::write_output(out.str());
    return code == 0 ? dualpath::kDone : dualpath::kUsage;
  }
  return dualpath::kDone;
}

/// Runs the command and returns its exit code; an exception becomes a line.
int run_and_report(int argc, char** argv) {
  const auto report = [](std::string_view kind, std::string_view message) {
    dualpath::write_notice(fmt::format("dualpath: {}{}\n", kind, message));
  };
  try {
    return run(argc, argv);
  } catch (const dualpath::tools::Ended& end) {
    return end.exit_code;
  } catch (const dualpath::Error& error) {
    report("", error.what());
    return error.exit_code();
  } catch (const c10::Error& error) {
    report("internal error: ", error.what_without_backtrace());
  } catch (const std::exception& error) {
    report("", error.what());
  }
  return dualpath::kFailure;
}

}  // namespace

int main(int argc, char** argv) {
  dualpath::prepare_standard_streams();
  dualpath::install_interrupt_handlers();
  dualpath::keep_freed_memory();
  return dualpath::run_with_usual_stack([&] { return run_and_report(argc, argv); });
}
