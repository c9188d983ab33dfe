// What a candidate costs on a machine that is not at hand. On a CPU: its hot loop by a machine model
// (machine_model.h), what surrounds the loop by arithmetic (effects.h). On a GPU: gpu_model.h. Two sides as
// in worker.h: post_model asks, answer_model answers.
#pragma once

#include "autotune/candidate.h"
#include "autotune/machine_model.h"

#include <optional>
#include <string>

namespace convsmith::autotune {

/// Multiply-adds of single numbers in an iteration of a loop: instructions times the lanes that each works
/// on.
int loop_work(const Loop &loop);

/// What `--cost static:NAME` names.
struct StaticMachine {
    std::string name;   ///< "cortex-a76", "h100"
    std::string family; ///< for records: LLVM's name of the CPU, the GPU's architecture
    std::string model;  ///< what makes its costs: "llvm-mca", "roofline"
};

/// The machine `name` that runs the target; of an empty one the first. Throws Error(BadArgument) listing the
/// known ones, Error(Unsupported) if there are none for the target.
StaticMachine static_machine(const Target &target, const std::string &name);

/// Compiles the plan and models it; comparable between plans of one problem and machine, positive. Throws
/// Error(Compile), Error(Unsupported) if a CPU's kernel has no loop of multiply-adds or multiplications, or
/// llvm-mca is not installed, or a GPU's schedule has no model.
double static_cost(const ConvDesc &desc, const Plan &plan, const std::string &machine);

/// What the model says of a candidate.
struct Modelled {
    Status status = Status::Modelled; ///< or how it failed
    std::string error;
    double cost = 0;
};

/// As post_judge and poll_judge.
void post_model(Worker &worker, const Candidate &candidate, const std::string &machine,
                const WorkerLimits &limits);
std::optional<Modelled> poll_model(Worker &worker, int wait_ms);

/// The worker's answer to {"do": "model"}.
Json answer_model(const Json &request);

} // namespace convsmith::autotune
