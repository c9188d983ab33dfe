// Conformance cases: inputs and expected outputs of other systems as plain data (formats:
// docs/case_files.md). Consumed by check_cases (runtime/check.h).
#pragma once

#include "runtime/oracle.h"

#include <optional>
#include <string>
#include <vector>

namespace convsmith {

/// One case. Exactly one of these holds: it can be run (problem and expected are set), `skipped` says why
/// not, or `malformed` says what is wrong with the file.
struct ConformanceCase {
    std::string name;      ///< path below the directory that was read, and "#id" in a file of many cases
    std::string path;      ///< the file
    std::string skipped;   ///< "op MaxPool: not supported yet"
    std::string malformed; ///< names file and field
    Problem problem;       ///< in the layout of the case; filters as filter_shape
    Tensor expected;
    Tensor expected_indices;          ///< of MaxPool with a second output, else empty
    std::optional<double> atol, rtol; ///< what the file gives

    bool is_runnable() const { return skipped.empty() && malformed.empty(); }
};

/// Every case of every case.json and cases.json at or below `path`, by path. Throws Error(Io) if there is no
/// such file or directory, Error(BadArgument) if it holds no case.
std::vector<ConformanceCase> load_cases(const std::string &path);

} // namespace convsmith
