// The native runner: kernels compiled by the JIT and called in this process on guarded tensors. Chosen by
// make_runner (runner.cpp); used by check, the tuner and the tests.
#include "runtime/guarded_tensor.h"
#include "runtime/runner.h"

#include "generators/conv_shape.h"
#include "generators/signature.h"

#include <cstring>
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

Tensor call(const Kernel &kernel, const Problem &problem, Flush flush) {
    const GuardedInput input(problem.input, flush);
    const GuardedInput filter(problem.filter, flush);
    const GuardedInput bias(problem.bias, flush);
    const GuardedInput residual(problem.residual, flush);
    const GuardedTensor output(problem.desc.out_type, output_shape(problem.desc), flush);

    ConvTensors tensors;
    tensors.input = input.view();
    tensors.bias = bias.view();
    tensors.residual = residual.view();
    tensors.output = output.view();
    kernel.run(tensors, kernel.pack(filter.view()));

    Tensor result(problem.desc.out_type, output_shape(problem.desc));
    std::memcpy(result.data(), output.view().data, result.bytes());
    return result;
}

class NativeRunner : public Runner {
public:
    explicit NativeRunner(const JitOptions &options) : jit_(options) {}

    std::string name() const override { return "native"; }
    bool is_timing_real() const override { return true; }

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
            result.output = call(*kernel, *job.problem, Flush::End);
            const Tensor again = call(*kernel, *job.problem, Flush::Begin);
            if (std::memcmp(result.output.data(), again.data(), again.bytes()) != 0) {
                result.error =
                    "two calls with the same values in differently aligned tensors gave different bits";
            }
        } catch (const Error &error) {
            result.error = error.what();
        }
        return result;
    }

    Jit jit_;
};

} // namespace

std::unique_ptr<Runner> make_native_runner(const JitOptions &options) {
    return std::make_unique<NativeRunner>(options);
}

} // namespace convsmith
