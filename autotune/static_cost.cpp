// See static_cost.h.
#include "autotune/static_cost.h"

#include "autotune/effects.h"
#include "autotune/gpu_model.h"
#include "generators/error.h"

#include <cmath>
#include <regex>

namespace convsmith::autotune {

namespace {

/// Numbers that a multiplying instruction works on: bits of its widest register over those of its type.
int lanes_of(const std::string &instruction) {
    static const std::regex arm_vector(R"(\bv\d+\.(\d+)[sd])");
    static const std::regex arm_scalar(R"(^f\w+\s+[sd]\d)");
    const std::string mnemonic = mnemonic_of(instruction);
    std::smatch match;
    if (std::regex_search(instruction, match, arm_vector))
        return std::stoi(match[1]);
    if (std::regex_search(instruction, arm_scalar) || mnemonic.empty() ||
        mnemonic[mnemonic.size() - 2] == 's')
        return 1; // "vfmadd231ss"
    const int bits = instruction.find("%zmm") != std::string::npos   ? 512
                     : instruction.find("%ymm") != std::string::npos ? 256
                                                                     : 128;
    return bits / (mnemonic.back() == 'd' ? 64 : 32);
}

bool begins_with_any(const std::string &text, std::initializer_list<const char *> beginnings) {
    for (const char *beginning : beginnings) {
        if (text.rfind(beginning, 0) == 0)
            return true;
    }
    return false;
}

/// Arithmetic's part of the cost: what the loop cannot show. Whether it is a schedule with a register tile,
/// and what that tile reaches, the loop does show.
double surroundings(const ConvDesc &desc, const Plan &plan) {
    Effects effects = PlanAnalysis(desc, plan.target).effects(plan);
    effects[static_cast<size_t>(Effect::Generic)] = 0;
    effects[static_cast<size_t>(Effect::TileCycles)] = 0;
    effects[static_cast<size_t>(Effect::FullRegisters)] = 0;
    return weighted_sum(effects);
}

} // namespace

int loop_work(const Loop &loop) {
    int fused = 0, multiplied = 0;
    for (const std::string &instruction : loop.instructions) {
        if (begins_with_any(instruction, {"vfmadd", "fmla", "fmadd"}))
            fused += lanes_of(instruction);
        else if (begins_with_any(instruction, {"vmulp", "vmuls", "mulp", "muls", "fmul"}))
            multiplied += lanes_of(instruction);
    }
    return fused > 0 ? fused : multiplied;
}

StaticMachine static_machine(const Target &target, const std::string &name) {
    if (gpu_api(target) == GpuApi::Cuda) {
        const gpu::Device &device = gpu_device(name);
        return {device.name, device.multiprocessor.architecture, "roofline"};
    }
    const MachineModel &model = machine_model(target, name);
    return {model.cpu, model.llvm_cpu, "llvm-mca"};
}

double static_cost(const ConvDesc &desc, const Plan &plan, const std::string &machine) {
    if (is_gpu(plan.target))
        return modelled_gpu_cycles(desc, plan, gpu_device(machine));
    const MachineModel &model = machine_model(plan.target, machine);
    const Loop loop = hot_loop(assembly_of(desc, plan));
    const int work = loop_work(loop);
    if (work == 0)
        throw Error(ErrorCode::Unsupported, "static cost: no inner loop that multiplies in the kernel of " +
                                                plan.text() + ": its time cannot be modelled");
    return modelled_cycles(loop, model) / work * std::exp(surroundings(desc, plan));
}

void post_model(Worker &worker, const Candidate &candidate, const std::string &machine,
                const WorkerLimits &limits) {
    Json request = to_json(candidate);
    request["do"] = "model";
    request["machine"] = machine;
    worker.post(request, limits);
}

std::optional<Modelled> poll_model(Worker &worker, int wait_ms) {
    const std::optional<Reply> reply = worker.poll(wait_ms);
    if (!reply)
        return std::nullopt;
    if (reply->status != Status::Ok)
        return Modelled{reply->status, reply->error, 0};
    const JsonFields fields("worker answer", reply->answer);
    const double cost = fields.number("cost", 0);
    if (!(cost > 0))
        return Modelled{Status::CompileError, fields.text("error", "no cost"), 0};
    return Modelled{Status::Modelled, "", cost};
}

Json answer_model(const Json &request) {
    const Candidate candidate = parse_candidate(request);
    const auto machine = request.at("machine").get<std::string>();
    return {{"cost", static_cost(candidate.desc, plan_choice(candidate).plan, machine)}};
}

} // namespace convsmith::autotune
