// See gpu_model.h.
#include "autotune/gpu_model.h"

#include "autotune/gpu_code.h"
#include "generators/conv_shape.h"
#include "generators/error.h"
#include "schedules/cpu/winograd_choice.h"

#include <fmt/format.h>

#include <algorithm>

namespace convsmith::autotune {

namespace {

/// From the end of a kernel to the start of the next one of a stream: some 2 us. Assumed, not measured.
constexpr double kLaunchCycles = 3000;

/// Winograd's transforms, bound by memory: each reads one side and writes the other.
double transform_cycles(const ConvDesc &desc, const Plan &plan, const gpu::Device &device) {
    if (plan.variant != "winograd")
        return 0;
    const ConvDesc merged = merge_trivial_axes(desc);
    const cpu::WinogradTiles tiles = cpu::winograd_tiles(merged, plan.params.at("tile"));
    const double cells = static_cast<double>(desc.n) * tiles.total() * tiles.elements;
    const double of_input = static_cast<double>(desc.n * spatial_product(merged.in, merged.rank));
    const double of_output = static_cast<double>(desc.n * spatial_product(out_extents(merged), merged.rank));
    const double elements = (cells + of_input) * desc.ci + (cells + of_output) * desc.co;
    return elements * static_cast<double>(dtype_bytes(desc.acc_type)) /
           (static_cast<double>(device.multiprocessors) * device.l2_bytes);
}

/// Registers of the kernel of the sums, the one that is launched with `threads` and takes the most.
int registers_of(const GpuCode &code, int threads, const gpu::Device &device) {
    int most = 0;
    for (const AssembledKernel &kernel : assemble(code.ptx, device.multiprocessor.architecture)) {
        if (kernel.spill_bytes > 0)
            throw Error(ErrorCode::Compile, fmt::format("{} bytes of spills for {}", kernel.spill_bytes,
                                                        device.multiprocessor.architecture));
        for (const GpuLaunch &launch : code.launches) {
            if (launch.kernel == kernel.kernel && launch.block_threads() == threads)
                most = std::max(most, kernel.registers);
        }
    }
    return most;
}

} // namespace

const gpu::Device &gpu_device(const std::string &name) {
    std::string known;
    for (const gpu::Device &device : gpu::device_table()) {
        if (name.empty() || device.name == name)
            return device;
        known += (known.empty() ? "" : ", ") + device.name;
    }
    throw Error(ErrorCode::BadArgument, "static cost: GPU is '" + name + "', want one of " + known);
}

double estimated_gpu_cycles(const ConvDesc &desc, const Plan &plan, const gpu::Device &device) {
    constexpr double kFallback = 0.05; // of peak
    if (const auto roofline = gpu::plan_roofline(desc, plan, device))
        return roofline->cycles + transform_cycles(desc, plan, device);
    return static_cast<double>(mac_count(desc)) /
           (static_cast<double>(device.multiprocessors) * device.multiprocessor.fmas * kFallback);
}

double modelled_gpu_cycles(const ConvDesc &desc, const Plan &plan, const gpu::Device &device) {
    const auto estimate = gpu::plan_roofline(desc, plan, device);
    if (!estimate)
        throw Error(ErrorCode::Unsupported, "static cost: no model of " + plan.text());
    const GpuCode code = gpu_code(desc, plan);
    double cycles = estimate->cycles;
    if (!ptxas().empty()) {
        const int registers = registers_of(code, estimate->threads, device);
        cycles = gpu::plan_roofline(desc, plan, device, registers)->cycles;
    }
    return cycles + transform_cycles(desc, plan, device) +
           kLaunchCycles * static_cast<double>(code.launches.size() - 1);
}

} // namespace convsmith::autotune
