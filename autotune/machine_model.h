// Cycles of a loop on a CPU that is not at hand, by LLVM's machine model (llvm-mca) with its known errors
// corrected (machine_models.inc). For ranking only: no cache, no branch, no neighbour slows it down.
#pragma once

#include "autotune/hot_loop.h"

#include <string>
#include <vector>

namespace convsmith::autotune {

/// Instructions that share units and that a model of LLVM's times wrongly.
struct ModelError {
    std::vector<std::string> mnemonics; ///< how they begin
    double per_cycle;                   ///< that the CPU starts
    double latency;                     ///< cycles until the result of one is there; 0: as modelled
    bool is_timed;                      ///< the model's time is too short, not too long, and counts too
};

/// A row of machine_models.inc.
struct MachineModel {
    std::string cpu;
    std::string target; ///< class that it stands for
    std::string triple;
    std::string llvm_cpu;
    double multiply_adds; ///< of whole vectors that it starts a cycle
    double instructions;  ///< that it decodes a cycle
    std::string source;   ///< of its rates
    std::vector<ModelError> errors;

    /// Whether it can time kernels of the target: those of its class, or, as all ARM CPUs here have the same
    /// instructions, of any ARM class.
    bool executes(const Target &machine) const;
};
const std::vector<MachineModel> &machine_model_table();

/// The model of `cpu`, or, if that is empty, the first of the target's class. Throws Error(BadArgument)
/// listing the known ones if there is none, or if it is of another class.
const MachineModel &machine_model(const Target &target, const std::string &cpu = "");

/// The llvm-mca to run; empty if none is installed.
std::string mca_program();

/// Cycles of an iteration of `loop`, in the long run. Where instructions of the loop are timed wrongly it is
/// the largest of: what the model says of the others (and of those that it times too short), what the wrong
/// ones take at their true rate, what decoding all takes, and the longest chain of multiply-adds through an
/// accumulator that no iteration begins anew. Throws Error(Unsupported) without llvm-mca, Error(Internal)
/// with its message if it does not understand the loop.
double modelled_cycles(const Loop &loop, const MachineModel &model);

} // namespace convsmith::autotune
