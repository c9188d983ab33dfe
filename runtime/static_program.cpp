// See static_program.h.
#include "runtime/static_program.h"

#include "generators/conv_shape.h"
#include "generators/error.h"
#include "generators/halide_compat.h"
#include "runtime/call_check.h"
#include "runtime/fma_loop_source.h"
#include "runtime/fma_loops_source.h"
#include "runtime/frontend/file_io.h"
#include "runtime/harness_source.h"
#include "runtime/library/pack_reference.h"
#include "runtime/library/runtime_object.h"
#include "runtime/process.h"
#include "runtime/serve_source.h"
#include "schedules/lower.h"
#include "schedules/machine_code.h"

#include <fmt/format.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <map>

namespace convsmith {

namespace {

namespace fs = std::filesystem;

// Records of the jobs file and the outputs file, as harness/run_jobs.c declares them.
struct DimRecord {
    int32_t min = 0, extent = 0, stride = 0;
    uint32_t flags = 0;
};
struct CallRecord {
    int32_t kernel = 0, tensors = 0;
};
struct TensorRecord {
    uint64_t bytes = 0, begin = 0;
    int32_t type_code = 0, type_bits = 0, dimensions = 0, is_aligned = 0, is_output = 0, padding = 0;
    DimRecord dims[8];
};
struct ResultRecord {
    int32_t code = 0, signal = 0;
};
static_assert(sizeof(TensorRecord) == 40 + 8 * 16, "the harness reads this layout");

template<typename Record>
void append(std::string &bytes, const Record &record) {
    bytes.append(reinterpret_cast<const char *>(&record), sizeof record);
}

/// The call of one job as the harness reads it.
std::string call_bytes(const RunJob &job, int kernel) {
    const ConvDesc &desc = job.problem->desc;
    const Packing packing = job.choice.plan.packing(job.kernel_desc);
    std::string bytes;
    const std::vector<TensorSpec> specs = tensor_specs(desc, packing);
    append(bytes, CallRecord{kernel, static_cast<int32_t>(specs.size())});
    for (const TensorSpec &spec : specs) {
        const BufferDims dims = buffer_dims(desc, packing, spec);
        const halide_type_t type = runtime_type(spec.dtype);
        TensorRecord record;
        record.type_code = static_cast<int32_t>(type.code);
        record.type_bits = type.bits;
        record.dimensions = dims.count;
        record.is_aligned = spec.role == TensorRole::Filter ? 1 : 0;
        record.is_output = spec.role == TensorRole::Output || spec.role == TensorRole::Indices ? 1 : 0;
        record.begin = static_cast<uint64_t>(dims.begin) * dtype_bytes(spec.dtype);
        for (int i = 0; i < dims.count; i++) {
            record.dims[i].extent = dims.dims[i].extent;
            record.dims[i].stride = static_cast<int32_t>(dims.dims[i].stride);
        }
        record.bytes = dtype_bytes(spec.dtype);
        for (const int64_t extent : spec.shape)
            record.bytes *= static_cast<uint64_t>(extent);
        append(bytes, record);
        if (record.is_output != 0)
            continue;
        const Tensor &plain = (*job.problem)[spec.name];
        Tensor packed;
        if (spec.role == TensorRole::Filter)
            packed = library::pack_reference(op_of(desc, spec), packing, plain);
        const Tensor &source = spec.role == TensorRole::Filter ? packed : plain;
        CONVSMITH_CHECK(source.bytes() == record.bytes);
        bytes.append(source.as<char>(), source.bytes());
    }
    return bytes;
}

} // namespace

bool read_result(std::istream &outputs, const RunJob &job, const std::string &where, RunResult &result) {
    const ConvDesc &desc = job.problem->desc;
    ResultRecord record;
    Tensor output(desc.out_type, output_shape(desc)), indices;
    const auto read = [&](const Tensor &tensor) {
        return static_cast<bool>(
            outputs.read(tensor.as<char>(), static_cast<std::streamsize>(tensor.bytes())));
    };
    bool is_read = outputs.read(reinterpret_cast<char *>(&record), sizeof record) && read(output);
    if (is_read && desc.indices != Indices::None) {
        indices = Tensor(DType::I64, written_shape(desc));
        is_read = read(indices);
    }
    if (!is_read)
        return false;
    if (record.signal != 0)
        result.fail(record.signal == SIGALRM ? RunFailure::Timeout : RunFailure::Crash,
                    fmt::format("{}: the call ended by signal {} ({})", where, record.signal,
                                strsignal(record.signal)));
    else if (record.code != 0)
        result.fail(RunFailure::Error, fmt::format("the kernel returned Halide error {}", record.code));
    else
        result.output = std::move(output), result.indices = std::move(indices);
    return true;
}

ProgramTarget program_target(const Target &target) {
    const bool is_arm = target.platform().rfind("arm-64", 0) == 0;
    ProgramTarget found = {
        is_arm ? "arm-64-linux" : "x86-64-linux", is_arm ? "aarch64-linux-gnu-gcc" : "gcc", {"-static"}};
    if (!has_program(found.compiler))
        throw Error(ErrorCode::Unsupported,
                    fmt::format("programs for {} need {}, which is not on PATH (Debian: {})", found.platform,
                                found.compiler,
                                is_arm ? "gcc-aarch64-linux-gnu and libc6-dev-arm64-cross" : "gcc"));
    return found;
}

std::string ProgramBatch::input() const {
    std::string bytes;
    append(bytes, static_cast<int32_t>(jobs.size()));
    return bytes + calls;
}

ProgramBatch ProgramMaker::compile(const std::vector<RunJob> &jobs, size_t &next,
                                   std::vector<RunResult> &results) const {
    constexpr size_t kMostBytes = 128 << 20; // an emulated machine holds the jobs in memory
    ProgramBatch batch;
    std::map<std::string, int> known;
    for (; next < jobs.size() && batch.calls.size() < kMostBytes; next++) {
        const size_t i = next;
        try {
            const Plan &plan = jobs[i].choice.plan;
            const std::string key = jobs[i].kernel_desc.key() + " " + plan.text() + " " + plan.target.halide;
            auto kernel = known.find(key);
            if (kernel == known.end()) {
                const std::string symbol = fmt::format("kernel_{}", known.size());
                const std::string object = directory_ / (symbol + ".o");
                write_file_atomically(object, machine_code(lower_module(jobs[i].kernel_desc, plan, symbol),
                                                           plan.target, MachineCode::Object));
                kernel = known.emplace(key, static_cast<int>(known.size())).first;
                batch.symbols.push_back(symbol);
                batch.objects.push_back(object);
            }
            batch.calls += call_bytes(jobs[i], kernel->second);
            batch.jobs.push_back(i);
        } catch (const Error &e) {
            results[i].fail(RunFailure::Compile, e.what());
        } catch (const Halide::Error &e) {
            results[i].fail(RunFailure::Compile, e.what());
        }
    }
    return batch;
}

std::string ProgramMaker::link(const ProgramBatch &batch) const {
    const std::string runtime = directory_ / "halide_runtime.o";
    if (!fs::exists(runtime)) {
        prepare_halide();
        try {
            write_file_atomically(runtime, library::library_runtime_object(target_.platform, false));
        } catch (const Halide::Error &e) {
            throw Error(ErrorCode::Compile,
                        fmt::format("Halide runtime for {}: {}", target_.platform, e.what()));
        }
    }
    std::string table = "/* The kernels of one run. */\n";
    for (const std::string &symbol : batch.symbols)
        table += fmt::format("int {}_argv(void **args);\n", symbol);
    table += "int (*const kernels[])(void **args) = {";
    for (const std::string &symbol : batch.symbols)
        table += symbol + "_argv, ";
    write_file_atomically(directory_ / "kernels.c", table + "0};\n");
    write_file_atomically(directory_ / "fma_loops.h", kFmaLoopsSource);
    write_file_atomically(directory_ / "fma_loop.inc", kFmaLoopSource);
    write_file_atomically(directory_ / "serve.h", kServeSource);
    write_file_atomically(directory_ / "run_jobs.c", kHarnessSource);
    std::string arguments; // a file, since there may be more objects than a command line takes
    for (const std::string &object : batch.objects)
        arguments += object + "\n";
    write_file_atomically(directory_ / "objects", arguments);

    std::string program = directory_ / "run_jobs";
    std::vector<std::string> command = {target_.compiler,
                                        "-O2",
                                        "-o",
                                        program,
                                        directory_ / "run_jobs.c",
                                        directory_ / "kernels.c",
                                        "@" + (directory_ / "objects"),
                                        runtime,
                                        "-lpthread",
                                        "-ldl",
                                        "-lm"};
    command.insert(command.end(), target_.link.begin(), target_.link.end());
    const ProcessResult compiled = run_process(command);
    if (!compiled.ok())
        throw Error(ErrorCode::Compile,
                    fmt::format("{} linking the kernels: {}", target_.compiler, compiled.text()));
    return program;
}

} // namespace convsmith
