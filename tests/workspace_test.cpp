// What kernels allocate while they run: on the heap (runtime/workspace.h), and on the stack of a thread that
// is painted before. One Halide thread, so that a task's memory is all there is.
#include "generators/conv_shape.h"
#include "runtime/workspace.h"
#include "tests/jit_support.h"

#include <fmt/format.h>

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <vector>

namespace convsmith {
namespace {

/// Runs `work` on a thread of its own; the bytes of its stack that were written.
template<typename Work>
int64_t stack_bytes_of(const Work &work) {
    constexpr size_t kStack = 16 << 20;
    constexpr int kPaint = 0xa5;
    void *stack = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CONVSMITH_CHECK(stack != MAP_FAILED);
    std::memset(stack, kPaint, kStack);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stack, kStack);
    pthread_t thread;
    const auto entry = [](void *argument) -> void * {
        (*static_cast<const Work *>(argument))();
        return nullptr;
    };
    EXPECT_EQ(pthread_create(&thread, &attributes, entry, const_cast<Work *>(&work)), 0);
    pthread_join(thread, nullptr);
    pthread_attr_destroy(&attributes);
    const auto *bytes = static_cast<const unsigned char *>(stack);
    const int64_t untouched =
        std::find_if(bytes, bytes + kStack, [](unsigned char b) { return b != kPaint; }) - bytes;
    munmap(stack, kStack);
    return static_cast<int64_t>(kStack) - untouched;
}

struct Workspace {
    int64_t heap = 0;  ///< most bytes held at a time
    int64_t stack = 0; ///< of the calling thread, caller's frames included
};

Workspace workspace_of(const ConvDesc &desc, const PlanChoice &choice) {
    static Jit &jit = *new Jit(no_disk());
    const auto kernel = jit.kernel(desc, choice);
    const Problem problem = make_problem(desc, Fill::SmallIntegers, 3);
    const Tensor output(desc.out_type, output_shape(desc)), indices(DType::I64, written_shape(desc));
    const PackedFilter filter = kernel->pack(problem.filters());
    NamedTensors tensors = tensors_of(problem, output);
    if (desc.indices != Indices::None)
        tensors["indices"] = indices.view();

    set_num_threads(1);
    Workspace workspace;
    const WorkspaceUse heap =
        measure_workspace([&] { workspace.stack = stack_bytes_of([&] { kernel->run(tensors, filter); }); });
    workspace.heap = heap.peak;
    EXPECT_EQ(heap.left, 0) << desc.key() << " keeps memory";
    set_num_threads(0);
    return workspace;
}

PlanChoice plan_of(const ConvDesc &desc, const char *schedule = "", Accuracy accuracy = Accuracy::Fast) {
    PlanRequest request;
    request.schedule = schedule;
    request.accuracy = accuracy;
    return make_plan(desc, host_target(), request);
}

Workspace workspace_of(const std::string &key) {
    const ConvDesc desc = ConvDesc::parse(key);
    return workspace_of(desc, plan_of(desc));
}

/// Bytes of the padded input rows that one block of output rows reads; 0 if the schedule has no blocks.
int64_t strip_bytes(const ConvDesc &desc, const Plan &plan) {
    const auto rows = plan.params.find("rows");
    if (rows == plan.params.end())
        return 0;
    const int64_t in_rows =
        (rows->second - 1) * desc.stride[0] + effective_kernel(desc.kernel[0], desc.dilation[0]);
    int64_t row_elements = desc.ci;
    for (int axis = 1; axis < desc.rank; axis++)
        row_elements *= desc.in[axis] + desc.pad_begin[axis] + desc.pad_end[axis];
    return in_rows * row_elements * static_cast<int64_t>(dtype_bytes(desc.in_type));
}

constexpr int64_t kOverread = 16;       // Halide allocates a few elements more, for vectors that read beyond
constexpr int64_t kMostStack = 1 << 16; // deepest allocation on the stack and the caller's frames

const char *const kPadModes[] = {"zeros", "constant_v2", "reflect", "replicate", "circular"};

TEST(Workspace, PaddingNeedsNoMoreThanAStripOfRows) {
    for (const char *mode : kPadModes) {
        for (const char *problem :
             {"conv_ci32_i28x28_co32_k3_p1_nhwc", "conv_ci32_i28x20_co32_k3_s2_p2_nchw",
              "conv_ci64_i112x112_co16_k3_p1_nhwc", "conv_ci8_i6x9x7_co8_k3_p1_ndhwc"}) {
            const ConvDesc desc = ConvDesc::parse(fmt::format("{}_{}", problem, mode));
            const PlanChoice choice = plan_of(desc, "", Accuracy::Exact);
            const Workspace workspace = workspace_of(desc, choice);
            EXPECT_LE(workspace.heap, strip_bytes(desc, choice.plan) + kOverread) << choice.plan.text();
            EXPECT_LE(workspace.heap, 2 * int64_t{choice.plan.target.l2_bytes}) << choice.plan.text();
            EXPECT_LE(workspace.stack, kMostStack) << desc.key();
        }
    }
}

TEST(Workspace, WinogradHoldsAStripOfTilesNoMoreThanTheInputOrFourMebibytes) {
    constexpr int64_t kFourMebibytes = 4 << 20;
    for (const char *key :
         {"conv_ci64_i56x56_co64_k3_p1", "conv_ci128_i112x112_co128_k3_p1", "conv_ci512_i28x28_co512_k3_p1",
          "conv_ci512_i14x14_co512_k3_p1", "conv_ci512_i7x7_co512_k3_p1", "conv_ci64_i390x390_co64_k3"}) {
        const ConvDesc desc = ConvDesc::parse(key);
        const PlanChoice choice = plan_of(desc);
        ASSERT_EQ(choice.plan.variant, "winograd") << key;
        int64_t input = static_cast<int64_t>(dtype_bytes(desc.in_type));
        for (const int64_t extent : input_shape(desc))
            input *= extent;
        const Workspace workspace = workspace_of(desc, choice);
        EXPECT_GT(workspace.heap, 0) << key;
        EXPECT_LE(workspace.heap, std::max(kFourMebibytes, input)) << choice.plan.text();
        EXPECT_LE(workspace.stack, kMostStack) << key;
    }
}

TEST(Workspace, PaddingOnTheGenericScheduleAndAloneNeedsNoHeap) {
    for (const char *mode : kPadModes) {
        for (const char *problem : {"conv_ci32_i28x28_co32_k3_p1_nhwc", "conv_ci5_i28x20_co7_k3_s2_p2_nchw",
                                    "identity_ci64_i28x28_p3_nhwc", "identity_ci5_i9x7_p2x0x1x3_nchw"}) {
            const ConvDesc desc = ConvDesc::parse(fmt::format("{}_{}", problem, mode));
            const Workspace workspace = workspace_of(desc, plan_of(desc, "generic"));
            EXPECT_EQ(workspace.heap, 0) << desc.key();
            EXPECT_LE(workspace.stack, kMostStack) << desc.key();
        }
    }
}

TEST(Workspace, DeformableConvolutionNeedsAtMostAMebibyte) {
    for (const char *key :
         {"deform_ci256_i56x56_co64_k3_p1", "deform_ci256_i56x56_co64_k3_p1_og4_mask_nchw"}) {
        const Workspace workspace = workspace_of(key);
        EXPECT_LE(workspace.heap + workspace.stack, 1 << 20) << key;
    }
}

TEST(Workspace, PoolsNeedNoHeap) {
    std::vector<std::string> keys = {"maxpool_ci64_i57x57_k3_s2_p1_ceil_indices_nchw",
                                     "maxpool_ci64_i56x56_k3_s2_p1", "avgpool_ci2048_i7x7_k7",
                                     "avgpool_ci64_i56x56_k3_s2_p1_nchw"};
    std::ifstream file(CONVSMITH_SOURCE_DIR "/tests/data/variant_shapes.txt");
    for (std::string key; std::getline(file, key);) {
        const bool is_pool =
            key.find("pool_") != std::string::npos && key.find("_then_") == std::string::npos;
        if (is_pool && !ConvDesc::parse(key).is_open())
            keys.push_back(key);
    }
    EXPECT_GT(keys.size(), 20u);
    for (const std::string &key : keys) {
        const Workspace workspace = workspace_of(key);
        EXPECT_EQ(workspace.heap, 0) << key;
        EXPECT_LE(workspace.stack, kMostStack) << key;
    }
}

TEST(Workspace, FusedOpsNeverHoldAWholeResultBetweenThem) {
    const struct {
        const char *key;
        int64_t between; ///< elements of the largest result between two ops
    } rows[] = {
        {"conv_ci64_i224x224_co64_k3_p1_g64_bias_relu6_then_conv_co64_k1_bias", 224 * 224 * 64},
        {"conv_ci8_i224x224_co64_k3_p1_relu_then_conv_co8_k3_p1_relu", 224 * 224 * 64},
        {"conv_ci4_i224x224_co64_k7x1_p3x0x3x0_then_conv_co8_k1x7_p0x3x0x3", 224 * 224 * 64},
        {"conv_ci16_i112x112_co96_k1_relu6_then_conv_co96_k3_p1_s2_g96_relu6_then_conv_co24_k1",
         112 * 112 * 96},
        {"conv_ci3_i224x224_co64_k3_p1_relu_then_maxpool_k2_s2", 224 * 224 * 64},
        {"concat_ci64_i112x112_of_conv_co32_k1_and_conv_co32_k1_then_conv_co32_k3_p1_and_maxpool_k3_p1_then_"
         "conv_co16_k1",
         112 * 112 * 64},
    };
    for (const auto &row : rows) {
        const Workspace workspace = workspace_of(row.key);
        EXPECT_GT(workspace.heap, 0) << row.key;
        EXPECT_LE(workspace.heap, 2 << 20) << row.key;
        EXPECT_LE(workspace.heap, row.between * 4 / 3) << row.key << ": a third of a result";
        EXPECT_LE(workspace.stack, kMostStack) << row.key;
    }
}

TEST(Workspace, TheCounterSeesWhatAKernelHolds) {
    // Blocks of two rows of 28 x 64 accumulators are rearranged together.
    const ConvDesc desc = ConvDesc::parse("conv_ci8_i28x28_co64_k3_p1_pixelshuffle2");
    const Workspace workspace = workspace_of(desc, plan_of(desc, "generic"));
    EXPECT_GE(workspace.heap, 28 * 64 * 4);
    EXPECT_LE(workspace.heap, 2 * 28 * 64 * 4 + kOverread);
}

} // namespace
} // namespace convsmith
