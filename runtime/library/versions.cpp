// The versions of this build (see versions.h).
#include "runtime/library/versions.h"

#include "generators/halide_compat.h"
#include "runtime/algorithm_hash.h"

namespace convsmith::library {

const Versions &versions() {
    static const Versions kVersions = {CONVSMITH_VERSION, halide_version(), llvm_version(), kAlgorithmHash};
    return kVersions;
}

} // namespace convsmith::library
