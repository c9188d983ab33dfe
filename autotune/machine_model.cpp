// See machine_model.h.
#include "autotune/machine_model.h"

#include "generators/error.h"
#include "runtime/process.h"
#include "runtime/temp_dir.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>

namespace convsmith::autotune {

namespace {

bool begins_with(const std::string &text, const std::string &beginning) {
    return text.rfind(beginning, 0) == 0;
}

std::vector<std::string> words_of(const std::string &text) {
    std::istringstream in(text);
    return {std::istream_iterator<std::string>(in), {}};
}

/// The error that an instruction falls under, if it does.
const ModelError *error_of(const std::string &instruction, const MachineModel &model) {
    const auto found = std::find_if(model.errors.begin(), model.errors.end(), [&](const ModelError &error) {
        return std::any_of(error.mnemonics.begin(), error.mnemonics.end(), [&](const std::string &mnemonic) {
            return begins_with(mnemonic_of(instruction), mnemonic);
        });
    });
    return found == model.errors.end() ? nullptr : &*found;
}

/// "vfmadd231ps 32(%rax), %ymm1, %ymm2" -> its operands
std::vector<std::string> operands_of(const std::string &instruction) {
    std::vector<std::string> operands(1);
    int depth = 0;
    for (size_t i = mnemonic_of(instruction).size(); i < instruction.size(); i++) {
        const char c = instruction[i];
        depth += c == '(' || c == '[' || c == '{' ? 1 : c == ')' || c == ']' || c == '}' ? -1 : 0;
        if (c == ',' && depth == 0)
            operands.emplace_back();
        else if (c != ' ' && c != '\t')
            operands.back() += c;
    }
    return operands;
}

/// The register that an instruction writes, as its number: x86 names it last, ARM first ("q1" is "v1.4s").
std::string written_by(const std::string &instruction, const MachineModel &model) {
    const std::vector<std::string> operands = operands_of(instruction);
    const std::string name = begins_with(model.triple, "x86") ? operands.back() : operands.front();
    static const std::regex number(R"((\d+))");
    std::smatch match;
    return std::regex_search(name, match, number) ? match[1].str() : name;
}

bool is_multiply_add(const std::string &instruction) {
    const std::string mnemonic = mnemonic_of(instruction);
    return begins_with(mnemonic, "vfmadd") || begins_with(mnemonic, "vfnmadd") ||
           begins_with(mnemonic, "fml");
}

/// What remains of an instruction that is timed apart: the load of its operand in memory, if it has one.
std::string remainder_of(const std::string &instruction, const MachineModel &model) {
    const std::vector<std::string> operands = operands_of(instruction);
    const bool has_load = begins_with(model.triple, "x86") && operands.front().find('(') != std::string::npos;
    return has_load ? "vmovups " + operands.front() + ", " + operands.back() : "";
}

/// Cycles of an iteration by llvm-mca; the jump back must have been left out.
double mca_cycles(const std::vector<std::string> &instructions, const MachineModel &model) {
    constexpr int kIterations = 200;
    if (instructions.empty())
        return 0;
    const std::string program = mca_program();
    if (program.empty())
        throw Error(ErrorCode::Unsupported,
                    "static cost: no llvm-mca here: install the package llvm-14 or llvm-19");
    const TempDir dir;
    const std::string file = (dir.path() / "loop.s").string();
    {
        std::ofstream out(file);
        for (const std::string &instruction : instructions)
            out << instruction << "\n";
    }
    const ProcessResult ran = run_process({program, "-mtriple=" + model.triple, "-mcpu=" + model.llvm_cpu,
                                           "-iterations=" + std::to_string(kIterations), file});
    std::smatch match;
    if (!ran.ok() || !std::regex_search(ran.output, match, std::regex(R"(Total Cycles:\s+(\d+))")))
        throw Error(ErrorCode::Internal, "static cost: llvm-mca: " + ran.text());
    return std::stod(match[1]) / kIterations;
}

} // namespace

const std::vector<MachineModel> &machine_model_table() {
    static const std::vector<MachineModel> kTable = [] {
        std::vector<MachineModel> table;
        std::map<std::string, std::vector<ModelError>> errors;
#define CONVSMITH_MACHINE_MODEL(cpu_, target_, triple_, llvm_cpu_, multiply_adds_, instructions_, source_)   \
    table.push_back({cpu_, target_, triple_, llvm_cpu_, multiply_adds_, instructions_, source_, {}});
#define CONVSMITH_MODEL_ERROR(cpu_, mnemonics_, per_cycle_, latency_, is_timed_)                             \
    errors[cpu_].push_back({words_of(mnemonics_), per_cycle_, latency_, is_timed_});
#include "autotune/machine_models.inc"
#undef CONVSMITH_MODEL_ERROR
#undef CONVSMITH_MACHINE_MODEL
        for (MachineModel &model : table)
            model.errors = errors[model.cpu];
        return table;
    }();
    return kTable;
}

bool MachineModel::executes(const Target &machine) const {
    const bool is_arm = begins_with(triple, "aarch64");
    return is_arm ? begins_with(machine.platform(), "arm-64") && !is_gpu(machine) : target == machine.name;
}

const MachineModel &machine_model(const Target &target, const std::string &cpu) {
    std::string known;
    for (const MachineModel &model : machine_model_table()) {
        if (!model.executes(target))
            continue;
        if (cpu.empty() ? model.target == target.name : cpu == model.cpu)
            return model;
        known += (known.empty() ? "" : ", ") + model.cpu;
    }
    if (known.empty())
        throw Error(ErrorCode::Unsupported, "static cost: no machine model for target " + target.name);
    throw Error(ErrorCode::BadArgument,
                "static cost: CPU is '" + cpu + "', want one of " + known + " for target " + target.name);
}

std::string mca_program() {
    for (const char *name : {"llvm-mca-14", "llvm-mca-19", "llvm-mca"}) {
        if (has_program(name))
            return name;
    }
    return "";
}

double modelled_cycles(const Loop &loop, const MachineModel &model) {
    std::vector<std::string> timed;                             // by LLVM
    std::map<const ModelError *, double> corrected;             // cycles that the others need
    std::map<std::string, double> chains;                       // cycles through an accumulator
    std::set<std::string> begun;                                // registers that an iteration begins anew
    for (size_t i = 0; i + 1 < loop.instructions.size(); i++) { // the jump back needs a label
        const std::string &instruction = loop.instructions[i];
        const ModelError *error = error_of(instruction, model);
        const bool is_apart = error != nullptr && !error->is_timed;
        const std::string rest = is_apart ? remainder_of(instruction, model) : instruction;
        if (!rest.empty())
            timed.push_back(rest);
        if (error == nullptr)
            continue;
        corrected[error] += 1 / error->per_cycle;
        const std::string written = written_by(instruction, model);
        if (is_multiply_add(instruction))
            chains[written] += error->latency;
        else
            begun.insert(written);
    }
    double cycles = mca_cycles(timed, model);
    if (!corrected.empty())
        cycles = std::max(cycles, static_cast<double>(loop.instructions.size()) / model.instructions);
    for (const auto &[error, needed] : corrected)
        cycles = std::max(cycles, needed);
    for (const auto &[accumulator, needed] : chains) {
        if (begun.count(accumulator) == 0)
            cycles = std::max(cycles, needed);
    }
    return cycles;
}

} // namespace convsmith::autotune
