// The emulating runners: every job's kernel is compiled to an object, linked with the harness
// (harness/run_jobs.c) into one static program, and run where there is a CPU for it: arm-64-linux under
// qemu-user, AVX-512 on a machine that Bochs emulates. Chosen by make_runner (runner.cpp).
#include "generators/conv_shape.h"
#include "generators/error.h"
#include "generators/halide_compat.h"
#include "runtime/call_check.h"
#include "runtime/frontend/file_io.h"
#include "runtime/harness_source.h"
#include "runtime/library/pack_reference.h"
#include "runtime/process.h"
#include "runtime/runner.h"
#include "runtime/temp_dir.h"
#include "schedules/lower.h"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

namespace convsmith {

namespace {

namespace fs = std::filesystem;

/// What differs between emulators.
struct Machine {
    const char *name;
    const char *platform; ///< Halide target of its runtime: no features beyond the plainest
    const char *compiler; ///< makes static programs for it
    /// The command that runs a program with two file arguments.
    std::vector<std::string> emulator;
};

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

class EmulatingRunner : public Runner {
public:
    explicit EmulatingRunner(Machine machine) : machine_(std::move(machine)) {}
    std::string name() const override { return machine_.name; }
    bool is_timing_real() const override { return false; }
    std::vector<RunResult> run(const std::vector<RunJob> &jobs) override;

private:
    /// Jobs of one program, and what it is made of.
    struct Batch {
        std::vector<size_t> jobs;         ///< index into the caller's jobs, in order of the jobs file
        std::vector<std::string> symbols; ///< of distinct kernels
        std::vector<std::string> objects;
        std::string calls; ///< the jobs file without its count
    };

    /// Takes jobs from `next` on, which it moves behind them.
    Batch compile(const std::vector<RunJob> &jobs, size_t &next, std::vector<RunResult> &results) const;
    std::string link(const Batch &batch) const;
    void run_program(const std::string &program, const std::vector<RunJob> &jobs, const Batch &batch,
                     std::vector<RunResult> &results) const;

    Machine machine_;
    TempDir directory_;
};

EmulatingRunner::Batch EmulatingRunner::compile(const std::vector<RunJob> &jobs, size_t &next,
                                                std::vector<RunResult> &results) const {
    constexpr size_t kMostBytes = 128 << 20; // an emulated machine holds the jobs in memory
    Batch batch;
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
                lower_module(jobs[i].kernel_desc, plan, symbol)
                    .compile({{Halide::OutputFileType::object, object}});
                kernel = known.emplace(key, static_cast<int>(known.size())).first;
                batch.symbols.push_back(symbol);
                batch.objects.push_back(object);
            }
            batch.calls += call_bytes(jobs[i], kernel->second);
            batch.jobs.push_back(i);
        } catch (const Error &e) {
            results[i].error = e.what();
        } catch (const Halide::Error &e) {
            results[i].error = e.what();
        }
    }
    return batch;
}

std::string EmulatingRunner::link(const Batch &batch) const {
    const std::string runtime = directory_ / "halide_runtime.o";
    if (!fs::exists(runtime)) {
        prepare_halide();
        try {
            Halide::compile_standalone_runtime({{Halide::OutputFileType::object, runtime}},
                                               Halide::Target(machine_.platform));
        } catch (const Halide::Error &e) {
            throw Error(ErrorCode::Compile,
                        fmt::format("Halide runtime for {}: {}", machine_.platform, e.what()));
        }
    }
    std::string table = "/* The kernels of one run. */\n";
    for (const std::string &symbol : batch.symbols)
        table += fmt::format("int {}_argv(void **args);\n", symbol);
    table += "int (*const kernels[])(void **args) = {";
    for (const std::string &symbol : batch.symbols)
        table += symbol + "_argv, ";
    write_file_atomically(directory_ / "kernels.c", table + "};\n");
    write_file_atomically(directory_ / "run_jobs.c", kHarnessSource);
    std::string arguments; // a file, since there may be more objects than a command line takes
    for (const std::string &object : batch.objects)
        arguments += object + "\n";
    write_file_atomically(directory_ / "objects", arguments);

    std::string program = directory_ / "run_jobs";
    const ProcessResult compiled = run_process(
        {machine_.compiler, "-O1", "-static", "-o", program, directory_ / "run_jobs.c",
         directory_ / "kernels.c", "@" + (directory_ / "objects"), runtime, "-lpthread", "-ldl", "-lm"});
    if (!compiled.ok())
        throw Error(ErrorCode::Compile,
                    fmt::format("{} linking the kernels: {}", machine_.compiler, compiled.text()));
    return program;
}

void EmulatingRunner::run_program(const std::string &program, const std::vector<RunJob> &jobs,
                                  const Batch &batch, std::vector<RunResult> &results) const {
    const std::string outputs = directory_ / "outputs";
    std::vector<std::string> command = machine_.emulator;
    command.insert(command.end(), {program, directory_ / "jobs", outputs});
    const ProcessResult process = run_process(command);
    std::ifstream file(outputs, std::ios::binary);
    for (const size_t job : batch.jobs) {
        const ConvDesc &desc = jobs[job].problem->desc;
        ResultRecord record;
        Tensor output(desc.out_type, output_shape(desc)), indices;
        const auto read = [&](const Tensor &tensor) {
            return static_cast<bool>(
                file.read(tensor.as<char>(), static_cast<std::streamsize>(tensor.bytes())));
        };
        bool is_read = file.read(reinterpret_cast<char *>(&record), sizeof record) && read(output);
        if (is_read && desc.indices != Indices::None) {
            indices = Tensor(DType::I64, written_shape(desc));
            is_read = read(indices);
        }
        if (!is_read)
            results[job].error = fmt::format("under {}: {}", machine_.name, process.text());
        else if (record.signal != 0)
            results[job].error = fmt::format("under {}: the call ended by signal {} ({})", machine_.name,
                                             record.signal, strsignal(record.signal));
        else if (record.code != 0)
            results[job].error = fmt::format("the kernel returned Halide error {}", record.code);
        else
            results[job].output = std::move(output), results[job].indices = std::move(indices);
    }
}

std::vector<RunResult> EmulatingRunner::run(const std::vector<RunJob> &jobs) {
    std::vector<RunResult> results(jobs.size());
    for (size_t next = 0; next < jobs.size();) {
        const Batch batch = compile(jobs, next, results);
        if (batch.jobs.empty())
            continue;
        const std::string program = link(batch);
        std::string file;
        append(file, static_cast<int32_t>(batch.jobs.size()));
        write_file_atomically(directory_ / "jobs", file + batch.calls);
        run_program(program, jobs, batch, results);
    }
    return results;
}

} // namespace

std::unique_ptr<Runner> make_qemu_aarch64_runner() {
    const Machine machine = {"qemu-aarch64", "arm-64-linux", "aarch64-linux-gnu-gcc", {"qemu-aarch64"}};
    for (const auto &[program, package] :
         {std::pair(machine.compiler, "gcc-aarch64-linux-gnu"), {machine.emulator[0].c_str(), "qemu-user"}}) {
        if (!has_program(program))
            throw Error(
                ErrorCode::Unsupported,
                fmt::format("running arm-64-linux code here needs {}, which is not on PATH; install the "
                            "packages gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user (missing: "
                            "{})",
                            program, package));
    }
    return std::make_unique<EmulatingRunner>(machine);
}

std::unique_ptr<Runner> make_avx512_runner() {
    const std::string boot = avx512_emulator();
    if (boot.empty())
        throw Error(ErrorCode::Unsupported,
                    "running AVX-512 code here needs the emulated machine that tests/emulated/setup.sh of "
                    "convsmith's sources installs (Bochs, from Debian's packages)");
    if (!has_program("gcc"))
        throw Error(ErrorCode::Unsupported, "running AVX-512 code here needs gcc, which is not on PATH");
    return std::make_unique<EmulatingRunner>(Machine{"bochs-avx512", "x86-64-linux", "gcc", {boot}});
}

} // namespace convsmith
