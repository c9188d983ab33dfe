// GPU kernels in the process: tensors that lie on the device, contexts and streams of the caller's, what is
// said where there is no driver, and what the model and the PTX of tuned schedules promise. CUDA runs on the
// emulator (tests/emulated/ptx) unless this machine has a device. The sweep over all ops is in
// targets_test.cpp.
#include "autotune/device_timing.h"
#include "autotune/gpu_code.h"
#include "generators/conv_shape.h"
#include "generators/signature.h"
#include "runtime/check.h"
#include "runtime/cuda_device.h"
#include "runtime/device.h"
#include "runtime/oracle.h"
#include "runtime/process.h"
#include "runtime/records/hardware.h"
#include "runtime/runner.h"
#include "schedules/gpu/roofline.h"
#include "schedules/gpu_driver.h"
#include "tests/cli_support.h"
#include "tests/emulated/ptx/emulator.h"
#include "tests/jit_support.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <dlfcn.h>

namespace convsmith {
namespace {

/// CUDA's driver interface, of the library that kernels use too.
class CudaDriver {
public:
    CudaDriver() {
        const std::string name = cuda_driver().is_there() ? cuda_driver().library : cuda_emulator();
        library_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
        call<int(unsigned)>("cuInit", 0u);
    }

    template<typename Function, typename... Arguments>
    void call(const char *name, Arguments... arguments) const {
        const auto function = reinterpret_cast<Function *>(dlsym(library_, name));
        ASSERT_NE(function, nullptr) << name;
        ASSERT_EQ(function(arguments...), 0) << name;
    }

    /// Of the emulator, which fills in `counts`.
    void read(const char *name, ConvsmithCudaCounts *counts) const {
        const auto function = reinterpret_cast<void (*)(ConvsmithCudaCounts *)>(dlsym(library_, name));
        ASSERT_NE(function, nullptr) << name;
        function(counts);
    }

private:
    void *library_;
};

/// A tensor in the current context's memory, with what the host's has.
class DeviceTensor {
public:
    DeviceTensor(const CudaDevice &device, const Tensor &host)
        : memory_(device, host.data(), host.bytes()), view_(host.view()) {
        view_.data = memory_.address();
        view_.is_on_device = true;
    }

    const TensorView &view() const { return view_; }
    void download(const Tensor &to) const { memory_.download(to.data()); }

private:
    DeviceMemory memory_;
    TensorView view_;
};

class CudaTest : public testing::Test {
protected:
    void SetUp() override {
        if (cuda_driver().is_there())
            return;
        if (cuda_emulator().empty())
            GTEST_SKIP() << "no CUDA device and no emulator";
        emulate_cuda();
    }

    std::shared_ptr<const Kernel> kernel(const char *key) {
        const ConvDesc desc = ConvDesc::parse(key);
        return jit_.kernel(desc, make_plan(desc, parse_target("cuda")));
    }

    Jit jit_{no_disk()};
};

/// Every tensor of a problem but its filters and outputs.
NamedTensors inputs_of(const Problem &problem) {
    NamedTensors tensors;
    for (const auto &[name, tensor] : problem.tensors) {
        if (!is_filter_name(name) && tensor.data() != nullptr)
            tensors[name] = tensor.view();
    }
    return tensors;
}

TEST_F(CudaTest, TensorsOnTheDeviceStayThere) {
    const auto kernel = this->kernel("conv_ci16_i9x7_co40_k3_p1_bias_residual_relu");
    const Problem problem = make_problem(kernel->desc(), Fill::SmallIntegers, 3);
    const PackedFilter filter = kernel->pack(problem.tensors.at("filter").view());
    NamedTensors on_host = inputs_of(problem);
    const Tensor want(DType::F32, output_shape(kernel->desc())),
        got(DType::F32, output_shape(kernel->desc()));
    on_host["output"] = want.view();
    kernel->run(on_host, filter);

    const CudaDevice device;
    {
        const DeviceTensor input(device, problem.tensors.at("input")),
            residual(device, problem.tensors.at("residual"));
        const DeviceTensor output(device, got);
        // The bias is the host's: both may be mixed.
        const auto run = kernel->bind({{"input", input.view()},
                                       {"bias", problem.tensors.at("bias").view()},
                                       {"residual", residual.view()},
                                       {"output", output.view()}},
                                      filter);
        for (int i = 0; i < 2; i++) {
            run();
            device.synchronize();
            output.download(got);
            EXPECT_EQ(std::memcmp(want.data(), got.data(), want.bytes()), 0) << "call " << i;
            std::memset(got.data(), 0xff, got.bytes());
        }
    }
}

TEST_F(CudaTest, RunsInTheCallersContextAndStream) {
    const auto kernel = this->kernel("conv_ci8_i6x5_co8_k1");
    const Problem problem = make_problem(kernel->desc(), Fill::SmallIntegers, 4);
    const Tensor got(DType::F32, output_shape(kernel->desc())),
        want(DType::F32, output_shape(kernel->desc()));
    kernel->run({{"input", problem.tensors.at("input").view()}, {"output", want.view()}},
                kernel->pack(problem.tensors.at("filter").view()));

    const CudaDevice device;
    const CudaDriver driver;
    void *context = nullptr, *stream = nullptr;
    driver.call<int(void **, unsigned, int)>("cuCtxCreate_v2", &context, 0u, 0);
    driver.call<int(void **, unsigned)>("cuStreamCreate", &stream, 0u);
    {
        const DeviceScope scope({context, stream});
        const DeviceTensor input(device, problem.tensors.at("input")), output(device, got);
        const PackedFilter filter = kernel->pack(problem.tensors.at("filter").view());
        kernel->run({{"input", input.view()}, {"output", output.view()}}, filter);
        driver.call<int(void *)>("cuStreamSynchronize", stream);
        output.download(got);
    }
    driver.call<int(void *)>("cuStreamDestroy_v2", stream);
    driver.call<int(void *)>("cuCtxDestroy_v2", context);
    EXPECT_EQ(std::memcmp(want.data(), got.data(), want.bytes()), 0);
}

TEST_F(CudaTest, TensorsOfTheHostPassThroughPinnedMemory) {
    if (cuda_driver().is_there())
        GTEST_SKIP() << "the emulator counts what a device does not";
    const CudaDriver driver;
    const auto pageable_bytes = [&] {
        ConvsmithCudaCounts counts = {};
        driver.read("convsmith_cuda_emulator_counts", &counts);
        return counts.pageable_copy_bytes;
    };
    for (const char *key : {"conv_ci16_i9x7_co40_k3_p1_bias", "conv_ci16_i9x7_co8_k1_into40x16"}) {
        const auto kernel = this->kernel(key);
        const Problem problem = make_problem(kernel->desc(), Fill::SmallIntegers, 3);
        const PackedFilter filter = kernel->pack(problem.tensors.at("filter").view());
        const Tensor output(DType::F32, output_shape(kernel->desc()));
        std::memset(output.data(), 0xff, output.bytes()); // as the oracle wants it left
        NamedTensors tensors = inputs_of(problem);
        tensors["output"] = output.view();
        const uint64_t before = pageable_bytes();
        for (int call = 0; call < 2; call++)
            kernel->run(tensors, filter);
        // A range of channels is copied to where it belongs, between the others.
        const uint64_t rows = kernel->desc().co_total != 0 ? 2 * 9 * 7 * 8 * sizeof(float) : 0;
        EXPECT_EQ(pageable_bytes() - before, rows) << key;
        EXPECT_TRUE(judge(kernel->desc(), problem.view(), output.view()).ok()) << key;
    }
}

TEST_F(CudaTest, GroupsThatShareAWarpAreRight) {
    const ConvDesc desc = ConvDesc::parse("conv_ci48_i6x8_co128_k3_p1_g8_bias"); // 16 channels of a group
    const Problem problem = make_problem(desc, Fill::SmallIntegers, 5);
    for (const auto &[co_vector, tile_p] : {std::pair(1, 8), {2, 8}, {2, 5}, {4, 4}, {1, 16}}) {
        SCOPED_TRACE(testing::Message() << "co_vector " << co_vector << ", tile_p " << tile_p);
        PlanRequest request;
        request.params = {{"co_vector", co_vector}, {"tile_p", tile_p}};
        const auto kernel = jit_.kernel(desc, make_plan(desc, parse_target("cuda"), request));
        EXPECT_EQ(kernel->choice().plan.schedule, "cuda");
        const Tensor output(DType::F32, output_shape(desc));
        NamedTensors tensors = inputs_of(problem);
        tensors["output"] = output.view();
        kernel->run(tensors, kernel->pack(problem.tensors.at("filter").view()));
        JudgeOptions exact;
        exact.exact = true;
        const Judgement judgement = judge(desc, problem.view(), output.view(), exact);
        EXPECT_TRUE(judgement.ok()) << judgement.first_wrong;
    }
}

TEST_F(CudaTest, DepthwiseAndPointwiseAreOneKernel) {
    for (const char *key : {
             "conv_n2_ci16_i13x9_co16_k3_p1_g16_bias_relu6_then_conv_co19_k1_bias_relu", // tiles overhang
             "conv_ci24_i9x11_co24_k5_s2_p2_g24_bias_hard_swish_then_conv_co64_k1_bias", // blocks of weights
             "conv_ci6_i10x7_co6_k3_d2_p2x1x2x1_g6_then_conv_co40_k1_residual_relu",     // odd channels
             "conv_ci8_i12x12_co8_k3_p1_reflect_g8_then_conv_co32_k1_s2",                // every second sum
             "conv_ci8_i40_co8_k7_p3_g8_relu_then_conv_co200_k1", // several blocks of co
             "conv_ci4_i5x6x7_co4_k3x3x3_p1_g4_then_conv_co8_k1x1x1",
         }) {
        SCOPED_TRACE(key);
        const auto kernel = this->kernel(key);
        const Plan &plan = kernel->choice().plan;
        EXPECT_EQ(plan.variant + "/" + plan.schedule, "chain/cuda");
        EXPECT_EQ(autotune::gpu_code(kernel->desc(), plan).launches.size(), 1U);
        const Problem problem = make_problem(kernel->desc(), Fill::SmallIntegers, 6);
        const Tensor output(DType::F32, output_shape(kernel->desc()));
        kernel->run(problem.call(output.view()), kernel->pack(problem.filters()));
        JudgeOptions exact;
        exact.exact = kernel->desc().key().find("hard_swish") == std::string::npos; // which divides
        const Judgement judgement = judge(kernel->desc(), problem.view(), output.view(), exact);
        EXPECT_TRUE(judgement.ok()) << judgement.first_wrong;
    }
}

TEST_F(CudaTest, TimedCallsComputeOnTheDevice) {
    const auto kernel = this->kernel("conv_ci16_i9x7_co40_k3_p1_bias_residual_relu");
    const Problem problem = make_problem(kernel->desc(), Fill::SmallIntegers, 7);
    const auto filter = std::make_shared<PackedFilter>(kernel->pack(problem.filters()));
    const Tensor output(DType::F32, output_shape(kernel->desc()));
    std::optional<autotune::Contestant> contestant;
    {
        const autotune::DeviceCall call(kernel, problem.call(output.view()), filter);
        contestant = call.contestant("timed");
        EXPECT_GE(contestant->block(3), 0); // an emulator's time is none
        call.fetch("output");
    }
    EXPECT_TRUE(judge(kernel->desc(), problem.view(), output.view()).ok());
    contestant->call(); // keeps what it needs
}

TEST_F(CudaTest, RecordsAreOfTheDevice) {
    const autotune::Hardware device = autotune::hardware_for(parse_target("cuda"));
    EXPECT_EQ(device.cpu, cuda_driver().is_there() ? cuda_driver().device : "no CUDA device");
    EXPECT_EQ(!device.microarchitecture.empty(), cuda_driver().is_there());
    EXPECT_NE(device, autotune::host_hardware());
    EXPECT_EQ(autotune::hardware_for(host_target()), autotune::host_hardware());
}

TEST_F(CudaTest, ErrorsNameWhatCudaSays) {
    const auto kernel = this->kernel("conv_ci8_i6x5_co8_k1");
    const Problem problem = make_problem(kernel->desc(), Fill::SmallIntegers, 4);
    const PackedFilter filter = kernel->pack(problem.tensors.at("filter").view());
    Tensor output(DType::F32, output_shape(kernel->desc()));
    TensorView nowhere = problem.tensors.at("input").view();
    nowhere.is_on_device = true; // an address of the host's
    const std::string message = error_of(
        [&] {
            kernel->run({{"input", nowhere}, {"output", output.view()}}, filter);
        },
        ErrorCode::Internal);
    EXPECT_NE(message.find("CUDA_ERROR_"), std::string::npos) << message;
}

TEST(Gpu, KernelsOfTheCpuRefuseTensorsOnTheDevice) {
    Jit jit(no_disk());
    const auto kernel = jit.kernel(ConvDesc::parse("conv_ci8_i6x5_co8_k1"));
    const Problem problem = make_problem(kernel->desc(), Fill::SmallIntegers, 4);
    Tensor output(DType::F32, output_shape(kernel->desc()));
    TensorView input = problem.tensors.at("input").view();
    input.is_on_device = true;
    const PackedFilter filter = kernel->pack(problem.tensors.at("filter").view());
    EXPECT_NE(error_of([&] {
                  kernel->run({{"input", input}, {"output", output.view()}}, filter);
              }).find("input: lies on a device"),
              std::string::npos);
}

TEST(Gpu, TheModelSeesLittleButArithmetic) {
    const auto of_peak = [](const char *key, Accuracy accuracy) {
        const ConvDesc desc = ConvDesc::parse(key);
        PlanRequest request;
        request.accuracy = accuracy;
        const Plan plan = make_plan(desc, parse_target("cuda"), request).plan;
        const auto roofline = gpu::plan_roofline(desc, plan, gpu::planned_device());
        EXPECT_TRUE(roofline) << key;
        return roofline ? roofline->of_peak : 0;
    };
    EXPECT_GE(of_peak("conv_ci128_i56x56_co128_k3_p1_bias_relu", Accuracy::Exact), 0.80);
    EXPECT_GE(of_peak("conv_n16_ci256_i28x28_co256_k3_p1_bias_relu", Accuracy::Exact), 0.85);
    EXPECT_LT(of_peak("conv_ci256_i7x7_co256_k3_p1_bias_relu", Accuracy::Exact), 0.5) << "few blocks";
}

/// Default plans of what the dense tile, Winograd and the channelwise schedule take.
struct TunedLayer {
    const char *key;
    Accuracy accuracy;
};
const TunedLayer kTunedLayers[] = {
    {"conv_ci64_i56x56_co64_k3_p1_bias_relu", Accuracy::Exact},
    {"conv_n16_ci256_i28x28_co256_k3_p1_bias_relu", Accuracy::Exact},
    {"conv_ci256_i14x14_co256_k3_p1_bias_relu", Accuracy::Fast},
    {"conv_ci64_i56x56_co256_k1_bias_relu", Accuracy::Exact},
    {"conv_ci3_i224x224_co64_k7_s2_p3_bias_relu", Accuracy::Exact},
    {"deconv_ci64_i56x56_co64_k3_s2_p1_o1_bias", Accuracy::Exact},
    {"deform_ci64_i38x63_co64_k3_p2_d2_og4_mask_relu", Accuracy::Exact},
    {"conv_ci144_i56x56_co144_k3_p1_g144_bias_relu6", Accuracy::Exact},
    {"conv_ci32_i8x28x28_co64_k3x3x3_p1_bias", Accuracy::Exact},
    {"conv_ci128_i56x56_co128_k3_p1_g32_bias_relu", Accuracy::Exact},
    {"conv_ci64_i28x28_co64_k3_p1_g4", Accuracy::Exact},
    {"conv_ci144_i56x56_co144_k3_p1_g144_bias_relu6_then_conv_co24_k1_bias", Accuracy::Exact},
    {"conv_ci64_i112x112_co64_k3_p1_g64_bias_relu6_then_conv_co128_k1_bias_relu6", Accuracy::Exact},
};

autotune::GpuCode code_of(const TunedLayer &layer) {
    const ConvDesc desc = ConvDesc::parse(layer.key);
    PlanRequest request;
    request.accuracy = layer.accuracy;
    const Plan plan = make_plan(desc, parse_target("cuda"), request).plan;
    EXPECT_EQ(plan.schedule, "cuda") << layer.key;
    return autotune::gpu_code(desc, plan);
}

TEST(Gpu, TunedKernelsKeepTheirSumsInRegisters) {
    for (const TunedLayer &layer : kTunedLayers) {
        SCOPED_TRACE(layer.key);
        const autotune::GpuCode code = code_of(layer);
        EXPECT_EQ(code.ptx.find("ld.local"), std::string::npos);
        EXPECT_EQ(code.ptx.find("__local_depot"), std::string::npos);
        for (const autotune::GpuLaunch &launch : code.launches) {
            if (launch.shared_bytes == 0)
                continue;
            EXPECT_EQ(launch.block_threads(), 32);
            EXPECT_NE(code.ptx.find("bar.sync"), std::string::npos) << "a barrier after what is staged";
            const bool is_wide = ConvDesc::parse(layer.key).ci % 4 == 0;
            EXPECT_EQ(code.ptx.find("ld.shared.v4.f32") != std::string::npos, is_wide);
        }
    }
}

TEST(Gpu, TunedKernelsAssembleWithoutSpills) {
    if (autotune::ptxas().empty())
        GTEST_SKIP() << "no ptxas: install the CUDA toolkit";
    for (const TunedLayer &layer : kTunedLayers) {
        const autotune::GpuCode code = code_of(layer);
        for (const char *architecture : {"sm_80", "sm_86", "sm_90"}) {
            SCOPED_TRACE(std::string(layer.key) + " " + architecture);
            for (const autotune::AssembledKernel &kernel : autotune::assemble(code.ptx, architecture)) {
                EXPECT_EQ(kernel.spill_bytes + kernel.stack_bytes, 0) << kernel.kernel;
                for (const autotune::GpuLaunch &launch : code.launches) {
                    if (launch.kernel == kernel.kernel) {
                        EXPECT_GE(autotune::occupancy(launch, kernel.registers, architecture), 0.25)
                            << kernel.kernel;
                    }
                }
            }
        }
    }
}

/// oclgrind executes OpenCL kernels and reports races and accesses outside buffers. At the first it ends the
/// process, which has then written no outputs; the log is that of the last process.
TEST(Gpu, OclgrindReportsNothing) {
    const std::string simulator = "/usr/lib/oclgrind/liboclgrind-rt.so";
    if (!fs::exists(simulator) || !opencl_driver().is_there())
        GTEST_SKIP() << "no oclgrind: install the packages oclgrind and ocl-icd-libopencl1";
    const TempDir directory;
    const std::string log = directory / "oclgrind.log";
    CheckOptions options;
    options.target = parse_target("opencl");
    options.request.accuracy = Accuracy::Exact;
    options.runner =
        make_opencl_runner(options.target, {"env", "LD_PRELOAD=" + simulator, "OCLGRIND_DATA_RACES=1",
                                            "OCLGRIND_STOP_ERRORS=1", "OCLGRIND_LOG=" + log});
    std::vector<Layer> layers;
    for (const char *key :
         {"conv_ci8_i7x7_co16_k3_p1_bias_relu", "conv_ci12_i5x6_co40_k1_residual",
          "conv_ci8_i6x6_co8_k3_p1_g8", "deconv_ci4_i4x5_co8_k3_s2_p1_o1", "maxpool_ci6_i8x8_k2_s2"}) {
        Layer layer;
        layer.name = key;
        layer.desc = ConvDesc::parse(key);
        layers.push_back(layer);
    }
    const CheckReport report = check_layers(layers, options);
    for (const CheckOutcome &outcome : report.outcomes)
        EXPECT_EQ(outcome.verdict, Verdict::Passed) << outcome.name << ": " << outcome.detail;
    EXPECT_EQ(report.passed, 5);
    ASSERT_TRUE(fs::exists(log)) << "the programs did not run under oclgrind";
    EXPECT_EQ(read(log), "");
}

class GpuCli : public CliTest {};

TEST_F(GpuCli, WithoutADriverOnlyCallsFail) {
    if (cuda_driver().is_there())
        GTEST_SKIP() << "this machine has " << cuda_driver().device;
    const std::string no_emulator = "CONVSMITH_CUDA_EMULATOR=/nonexistent";
    const Outcome explained =
        run("explain conv_ci128_i56x56_co128_k3_p1 --target cuda --accuracy exact", no_emulator);
    EXPECT_EQ(explained.exit_code, 0) << explained.err;
    EXPECT_NE(explained.out.find("% of FP32 peak"), std::string::npos) << explained.out;
    EXPECT_EQ(run("check conv_ci8_i6x5_co8_k1", no_emulator).exit_code, 0);
    const Outcome checked = run("check conv_ci8_i6x5_co8_k1 --target cuda", no_emulator);
    EXPECT_EQ(checked.exit_code, 1);
    EXPECT_NE(checked.err.find(cuda_driver().missing), std::string::npos) << checked.err;
    EXPECT_EQ(std::count(checked.err.begin(), checked.err.end(), '\n'), 1) << checked.err;
}

TEST_F(GpuCli, CheckSaysThatItEmulates) {
    if (cuda_driver().is_there() || cuda_emulator().empty())
        GTEST_SKIP() << "a device, or no emulator";
    const Outcome checked = run("check conv_ci8_i6x5_co8_k1 --target cuda");
    EXPECT_EQ(checked.exit_code, 0) << checked.err;
    EXPECT_NE(checked.out.find("PTX emulator"), std::string::npos) << checked.out;
}

/// scripts/gpu_check.sh on a few small layers.
class GpuCheck : public testing::Test {
protected:
    static void SetUpTestSuite() {
        dir_ = std::make_unique<TempDir>();
        write(*dir_ / "layers.json", R"({"layers": [
            {"name": "small/dense", "key": "conv_ci16_i9x7_co40_k3_p1"},
            {"name": "small/deformable", "key": "deform_ci8_i6x7_co6_k3_p1_og2_mask"}]})");
        write(*dir_ / "sweep.txt", "# Keys.\nconv_ci5_i9x8_co7_k3_s2_p1_bias_relu\n"
                                   "conv_n0_ci8_i0x0_co24_k1\nmaxpool_n2_ci3_i6x5_k2_s2_ceil_indices_nchw\n"
                                   "conv_ci8_i6x7_co16_k3_p1_into40x16_bias\n");
        const ProcessResult made = run_script({"--kit"});
        EXPECT_TRUE(made.ok()) << made.text();
    }
    static void TearDownTestSuite() { dir_.reset(); }

    static void write(const std::string &path, const std::string &text) { std::ofstream(path) << text; }

    static ProcessResult run_script(const std::vector<std::string> &arguments,
                                    const std::string &library_path = "") {
        std::vector<std::string> command = {"env",
                                            "GPU_CHECK_KIT=" + *dir_ / "kit",
                                            "GPU_CHECK_LAYERS=" + *dir_ / "layers.json",
                                            "GPU_CHECK_SWEEP=" + *dir_ / "sweep.txt",
                                            "LD_LIBRARY_PATH=" + library_path,
                                            std::string(CONVSMITH_SOURCE_DIR) + "/scripts/gpu_check.sh"};
        command.insert(command.end(), arguments.begin(), arguments.end());
        command.emplace_back(CONVSMITH_BINARY_DIR);
        return run_process(command);
    }

    static std::string emulator_path() { return fs::path(cuda_emulator()).parent_path().string(); }

    static std::unique_ptr<TempDir> dir_;
};

std::unique_ptr<TempDir> GpuCheck::dir_;

TEST_F(GpuCheck, VerifiesAKitAndTimesNothingOnTheEmulator) {
    if (cuda_driver().is_there() || cuda_emulator().empty())
        GTEST_SKIP() << "a device, or no emulator";
    const ProcessResult checked = run_script({}, emulator_path());
    EXPECT_EQ(checked.exit_code, 0) << checked.output;
    EXPECT_NE(checked.output.find("8 kernels right, 0 wrong, 0 left out"), std::string::npos)
        << checked.output;
    EXPECT_NE(checked.output.find("nothing is timed"), std::string::npos) << checked.output;

    // A kernel that computes something else than its manifest says.
    const std::string manifest = *dir_ / "kit/sweep/manifest.json";
    std::string text = read(manifest);
    const size_t at = text.find("bias_relu");
    ASSERT_NE(at, std::string::npos);
    write(manifest, text.replace(at, 9, "bias_tanh"));
    const ProcessResult wrong = run_script({}, emulator_path());
    EXPECT_EQ(wrong.exit_code, 1) << wrong.output;
    EXPECT_NE(wrong.output.find("WRONG conv_n1_ci5"), std::string::npos) << wrong.output;
    EXPECT_NE(wrong.output.find("7 kernels right, 1 wrong"), std::string::npos) << wrong.output;
}

TEST_F(GpuCheck, SaysThatThereIsNoDevice) {
    if (cuda_driver().is_there())
        GTEST_SKIP() << "this machine has " << cuda_driver().device;
    const ProcessResult checked = run_script({});
    EXPECT_EQ(checked.exit_code, 3) << checked.output;
    EXPECT_NE(checked.output.find("no CUDA device here"), std::string::npos) << checked.output;
}

} // namespace
} // namespace convsmith
