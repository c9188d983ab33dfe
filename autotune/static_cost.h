// What a candidate costs on a CPU that is not at hand: its hot loop by a machine model (machine_model.h),
// what surrounds the loop by arithmetic (effects.h). Two sides as in worker.h: model_candidate asks,
// static_cost answers.
#pragma once

#include "autotune/candidate.h"
#include "autotune/machine_model.h"

#include <optional>
#include <string>

namespace convsmith::autotune {

/// Multiply-adds of single numbers in an iteration of a loop: instructions times the lanes that each works
/// on.
int loop_work(const Loop &loop);

/// Compiles the plan to assembly and models it; comparable between plans of one problem and CPU, positive.
/// Throws Error(Compile), Error(Unsupported) if the kernel has no loop of multiply-adds or multiplications,
/// or llvm-mca is not installed.
double static_cost(const ConvDesc &desc, const Plan &plan, const MachineModel &model);

/// What the model says of a candidate.
struct Modelled {
    Status status = Status::Modelled; ///< or how it failed
    std::string error;
    double cost = 0;
};

/// As post_judge and poll_judge.
void post_model(Worker &worker, const Candidate &candidate, const std::string &cpu,
                const WorkerLimits &limits);
std::optional<Modelled> poll_model(Worker &worker, int wait_ms);

/// The worker's answer to {"do": "model"}.
Json answer_model(const Json &request);

} // namespace convsmith::autotune
