// The emulating runner for arm-64-linux: compiles every job's kernel to an object, links them with the
// harness (harness/run_jobs.c) into one static program and runs it under qemu-user. Chosen by make_runner
// (runner.cpp).
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

constexpr const char *kCompiler = "aarch64-linux-gnu-gcc";
constexpr const char *kEmulator = "qemu-aarch64";

// Records of the jobs file, as harness/run_jobs.c declares them.
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

class QemuRunner : public Runner {
public:
    std::string name() const override { return "qemu-aarch64"; }
    bool is_timing_real() const override { return false; }
    std::vector<RunResult> run(const std::vector<RunJob> &jobs) override;

private:
    /// Jobs that compiled, and what the program is made of.
    struct Batch {
        std::vector<size_t> jobs;         ///< index into the caller's jobs, in order of the jobs file
        std::vector<std::string> symbols; ///< of distinct kernels
        std::vector<std::string> objects;
        std::string calls; ///< the jobs file without its count
    };

    Batch compile(const std::vector<RunJob> &jobs, std::vector<RunResult> &results) const;
    std::string link(const Batch &batch) const;
    /// Runs the program from call `first` on; the number of calls that left an output.
    size_t run_program(const std::string &program, const std::vector<RunJob> &jobs, const Batch &batch,
                       size_t first, std::vector<RunResult> &results) const;

    TempDir directory_;
};

QemuRunner::Batch QemuRunner::compile(const std::vector<RunJob> &jobs,
                                      std::vector<RunResult> &results) const {
    Batch batch;
    std::map<std::string, int> known;
    for (size_t i = 0; i < jobs.size(); i++) {
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

std::string QemuRunner::link(const Batch &batch) const {
    const std::string runtime = directory_ / "halide_runtime.o";
    if (!fs::exists(runtime)) {
        prepare_halide();
        try {
            Halide::compile_standalone_runtime({{Halide::OutputFileType::object, runtime}},
                                               Halide::Target("arm-64-linux"));
        } catch (const Halide::Error &e) {
            throw Error(ErrorCode::Compile, std::string("Halide runtime for arm-64-linux: ") + e.what());
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

    const std::string program = directory_ / "run_jobs";
    const ProcessResult compiled = run_process(
        {kCompiler, "-O1", "-static", "-o", program, directory_ / "run_jobs.c", directory_ / "kernels.c",
         "@" + (directory_ / "objects"), runtime, "-lpthread", "-ldl", "-lm"});
    if (!compiled.ok())
        throw Error(ErrorCode::Compile,
                    fmt::format("{} linking the kernels: {}", kCompiler, compiled.text()));
    return program;
}

size_t QemuRunner::run_program(const std::string &program, const std::vector<RunJob> &jobs,
                               const Batch &batch, size_t first, std::vector<RunResult> &results) const {
    const std::string outputs = directory_ / "outputs";
    const ProcessResult process =
        run_process({kEmulator, program, directory_ / "jobs", outputs, std::to_string(first)});
    std::ifstream file(outputs, std::ios::binary);
    size_t done = 0;
    for (; first + done < batch.jobs.size(); done++) {
        const size_t job = batch.jobs[first + done];
        const ConvDesc &desc = jobs[job].problem->desc;
        int32_t code = 0;
        Tensor output(desc.out_type, output_shape(desc)), indices;
        const auto read = [&](const Tensor &tensor) {
            return static_cast<bool>(
                file.read(tensor.as<char>(), static_cast<std::streamsize>(tensor.bytes())));
        };
        if (!file.read(reinterpret_cast<char *>(&code), sizeof code) || !read(output))
            break;
        if (desc.indices != Indices::None) {
            indices = Tensor(DType::I64, written_shape(desc));
            if (!read(indices))
                break;
        }
        if (code == 0) {
            results[job].output = std::move(output);
            results[job].indices = std::move(indices);
        } else {
            results[job].error = fmt::format("the kernel returned Halide error {}", code);
        }
    }
    if (first + done < batch.jobs.size())
        results[batch.jobs[first + done]].error = fmt::format("under {}: {}", kEmulator, process.text());
    return done;
}

std::vector<RunResult> QemuRunner::run(const std::vector<RunJob> &jobs) {
    std::vector<RunResult> results(jobs.size());
    const Batch batch = compile(jobs, results);
    if (batch.jobs.empty())
        return results;
    const std::string program = link(batch);
    std::string file;
    append(file, static_cast<int32_t>(batch.jobs.size()));
    write_file_atomically(directory_ / "jobs", file + batch.calls);
    // A call that crashes ends the program; the next run goes on behind it.
    for (size_t first = 0; first < batch.jobs.size();)
        first += run_program(program, jobs, batch, first, results) + 1;
    return results;
}

} // namespace

std::unique_ptr<Runner> make_qemu_aarch64_runner() {
    for (const auto &[program, package] :
         {std::pair(kCompiler, "gcc-aarch64-linux-gnu"), {kEmulator, "qemu-user"}}) {
        if (!has_program(program))
            throw Error(
                ErrorCode::Unsupported,
                fmt::format("running arm-64-linux code here needs {}, which is not on PATH; install the "
                            "packages gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user (missing: "
                            "{})",
                            program, package));
    }
    return std::make_unique<QemuRunner>();
}

} // namespace convsmith
