// The native runner: kernels compiled by the JIT and called in this process on guarded tensors. Chosen by
// make_runner (runner.cpp); used by check, the tuner and the tests.
#include "runtime/device.h"
#include "runtime/guarded_tensor.h"
#include "runtime/runner.h"

#include "generators/conv_shape.h"
#include "generators/signature.h"

#include <cstring>
#include <map>
#include <optional>

namespace convsmith {

namespace {

/// A guarded, read-only copy of an input, or nothing for a tensor the problem does not have.
class GuardedInput {
public:
    GuardedInput(const Tensor &source, Flush flush) {
        if (source.data() != nullptr) {
            tensor_.emplace(source.dtype(), source.shape(), flush);
            tensor_->load_read_only(source.view());
        }
    }
    TensorView view() const { return tensor_ ? tensor_->view() : TensorView(); }

private:
    std::optional<GuardedTensor> tensor_;
};

Tensor copy_of(const TensorView &view) {
    Tensor copy(view.dtype, view.shape_vector());
    std::memcpy(copy.data(), view.data, copy.bytes());
    return copy;
}

RunResult call(const Kernel &kernel, const Problem &problem, Flush flush) {
    std::map<std::string, GuardedInput> inputs;
    NamedTensors tensors;
    NamedTensors filters;
    for (const auto &[name, tensor] : problem.tensors) {
        const auto [at, is_new] = inputs.try_emplace(name, tensor, flush);
        (is_filter_name(name) ? filters : tensors)[name] = at->second.view();
    }
    const GuardedTensor output(problem.desc.out_type, output_shape(problem.desc), flush);
    tensors["output"] = output.view();
    std::optional<GuardedTensor> indices;
    if (problem.desc.indices != Indices::None) {
        indices.emplace(DType::I64, written_shape(problem.desc), flush);
        tensors["indices"] = indices->view();
    }
    kernel.run(tensors, kernel.pack(filters));

    RunResult result;
    result.output = copy_of(output.view());
    if (indices)
        result.indices = copy_of(indices->view());
    return result;
}

bool same_bytes(const Tensor &a, const Tensor &b) {
    return a.data() == nullptr || std::memcmp(a.data(), b.data(), a.bytes()) == 0;
}

class NativeRunner : public Runner {
public:
    NativeRunner(std::string name, bool is_timing_real, const JitOptions &options)
        : name_(std::move(name)), is_timing_real_(is_timing_real), jit_(options) {}

    std::string name() const override { return name_; }
    bool is_timing_real() const override { return is_timing_real_; }

    std::vector<RunResult> run(const std::vector<RunJob> &jobs) override {
        std::vector<RunResult> results;
        results.reserve(jobs.size());
        for (const RunJob &job : jobs) {
            results.push_back(run_one(job));
        }
        return results;
    }

private:
    RunResult run_one(const RunJob &job) {
        RunResult result;
        try {
            const std::shared_ptr<const Kernel> kernel = jit_.kernel(job.kernel_desc, job.choice);
            result = call(*kernel, *job.problem, Flush::End);
            if (!is_timing_real_) // emulated: a device's memory does not change with the host's
                return result;
            const RunResult again = call(*kernel, *job.problem, Flush::Begin);
            if (!same_bytes(result.output, again.output) || !same_bytes(result.indices, again.indices)) {
                result.error =
                    "two calls with the same values in differently aligned tensors gave different bits";
            }
        } catch (const Error &error) {
            result.error = error.what();
        }
        return result;
    }

    const std::string name_;
    const bool is_timing_real_;
    Jit jit_;
};

} // namespace

std::unique_ptr<Runner> make_native_runner(const JitOptions &options) {
    return std::make_unique<NativeRunner>("native", true, options);
}

std::unique_ptr<Runner> make_cuda_emulator_runner(const JitOptions &options) {
    emulate_cuda();
    return std::make_unique<NativeRunner>("CUDA emulator", false, options);
}

} // namespace convsmith
