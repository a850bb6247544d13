#pragma once

#include <filesystem>
#include <string_view>

namespace dualpath {

/// Makes the standard streams safe to use; main calls it first. Opens a closed descriptor, so that
/// no file of the user's gets its number and with it all that is printed; writing to standard
/// output still fails. A pipe whose reader is gone (SIGPIPE) becomes an error of the write instead
/// of the end of the process.
void prepare_standard_streams();

/// Writes to standard output at once. A result that does not arrive (a full disk, a closed pipe) is
/// an Error.
void write_output(std::string_view text);

/// Writes to standard error. Nobody may be there to read it any more, which stops nothing.
void write_notice(std::string_view text);

/// From now on appends all that goes to the standard streams to a file, made if missing.
void redirect_standard_streams(const std::filesystem::path& file);

}  // namespace dualpath
