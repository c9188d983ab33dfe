// The generated C header alone, its kernels replaced by functions that print what they are given: every
// buffer as the JIT makes it, open sizes refused exactly where no descriptor can be made of them.
#include "runtime/call_check.h"
#include "runtime/library/c_header.h"
#include "runtime/library/text_template.h"
#include "tests/library_support.h"

#include <fmt/format.h>

namespace convsmith {
namespace {

/// The keys of a file of tests/data, without comments and blank lines.
std::vector<std::string> read_keys(const std::string &file) {
    std::istringstream text(read_text(CONVSMITH_SOURCE_DIR "/tests/data/" + file));
    std::vector<std::string> keys;
    for (std::string line; std::getline(text, line);) {
        if (!line.empty() && line[0] != '#')
            keys.push_back(line);
    }
    return keys;
}

/// A library of one layer a key, called l0, l1, ...
library::Model model_of(const std::vector<std::string> &keys) {
    std::vector<Layer> layers;
    for (const std::string &key : keys)
        layers.push_back(layer("l" + std::to_string(layers.size()), key));
    LibraryOptions options = library_options("net", "unused", {"x86_avx2"});
    options.add_baseline = false;
    return library::plan_library(layers, options);
}

/// C functions in place of the kernels: each prints its buffers, or nothing.
std::string stub_kernels(const library::Model &model, bool print) {
    std::string text;
    for (const library::KernelEntry &kernel : model.kernels) {
        std::vector<std::string> parameters;
        std::string body;
        for (const TensorSpec &spec : tensor_specs(kernel.desc, kernel.plans[0].packing)) {
            parameters.push_back("net_buffer *" + spec.name);
            body += print ? fmt::format("    print(\"{0}\", {0});\n", spec.name)
                          : fmt::format("    (void){};\n", spec.name);
        }
        text += fmt::format("int {}({}) {{\n{}    return 0;\n}}\n", library::kernel_symbol(model, kernel),
                            fmt::join(parameters, ", "), body);
    }
    return text;
}

constexpr const char *kProlog = R"(
#include "net.h"
#include <stdio.h>
int net_pack_f32_co1(net_buffer *filter, net_buffer *packed);
)";

/// Compiles header and program, without any library; what the program prints.
std::string run_with_header(const library::Model &model, const std::string &program) {
    const TempDir dir;
    std::filesystem::create_directory(dir.path() / "include");
    write_text(dir.path() / "include/net.h", library::c_header(model));
    Toolchain tools = native_toolchain();
    tools.compiler.push_back("-I" + (dir.path() / "include").string());
    tools.compiler.emplace_back("-O0"); // unused inline functions need no packing kernels
    return run_c(tools, program, {});
}

/// Sizes for the open extents of a descriptor.
Sizes some_sizes(const ConvDesc &desc) {
    Sizes sizes;
    sizes.n = desc.n == 0 ? 3 : desc.n;
    for (int axis = 0; axis < desc.rank; axis++)
        sizes.in[axis] = desc.in[axis] == 0 ? 12 + axis : desc.in[axis];
    return sizes;
}

/// The line that a stub prints for a tensor at byte 0.
std::string expected_buffer(const TensorCheck &check) {
    const halide_type_t type = runtime_type(check.want.dtype);
    std::string text =
        fmt::format("{} {} {} {}:", check.name, check.begin_bytes, static_cast<int>(type.code), type.bits);
    for (int i = 0; i < check.dimensions; i++)
        text += fmt::format(" {},{}", check.dims[i].extent, check.dims[i].stride);
    return text + "\n";
}

/// A block that calls layer `id` with every tensor in memory of its own.
std::string printing_call(const ConvDesc &desc, const std::string &id) {
    std::string text = fmt::format("    {{\n        net_{}_args args;\n", id);
    int64_t gigabytes = 0;
    for (const TensorSpec &spec : tensor_specs(desc, Packing()))
        text += fmt::format("        args.{} = (void *)(uintptr_t)(INT64_C({}) << 30);\n", spec.name,
                            ++gigabytes);
    const Sizes sizes = some_sizes(desc);
    if (desc.n == 0)
        text += fmt::format("        args.n = {};\n", sizes.n);
    for (int axis = 0; axis < desc.rank; axis++) {
        if (desc.in[axis] == 0)
            text += fmt::format("        args.{} = {};\n", axis_name(axis, desc.rank), sizes.in[axis]);
    }
    return text + fmt::format("        printf(\"{0} %d\\n\", net_{0}(&args));\n    }}\n", id);
}

void expect_buffers_are_the_jits(const std::vector<std::string> &keys) {
    const library::Model model = model_of(keys);
    std::string program = std::string(kProlog) + R"(
static void print(const char *name, const net_buffer *b) {
    int i;
    printf("%s %d %d %d:", name, (int)((uintptr_t)b->host & 0x3fffffff), b->type_code, b->type_bits);
    for (i = 0; i < b->dimensions; i++)
        printf(" %d,%d", b->dim[i].extent, b->dim[i].stride);
    printf("\n");
}
)" + stub_kernels(model, true) +
                          "int main(void) {\n";
    std::string want;
    for (const library::LayerEntry &entry : model.layers) {
        const library::KernelEntry &kernel = model.kernels[entry.kernel];
        program += printing_call(kernel.desc, entry.id);
        const ConvDesc closed = with_sizes(kernel.desc, some_sizes(kernel.desc));
        for (const TensorCheck &check : make_call_check(closed, kernel.plans[0].packing).tensors)
            want += expected_buffer(check);
        want += entry.id + " 0\n";
    }
    EXPECT_EQ(run_with_header(model, program + "    return 0;\n}\n"), want);
}

TEST(LibraryHeader, EveryOpsBuffersAreTheJits) {
    std::vector<std::string> keys = read_keys("variant_shapes.txt");
    // Positions that stay apart although the kernel sees their axes as one; open ranges and rearrangements.
    for (const char *key :
         {"deconv_ci4_i3x5_co6_k1", "deconv_n0_ci4_i0x0x4_co6_k1x1x3_ncdhw",
          "conv_n2_ci5_i0x5_co3_k1_into7x2_nchw", "conv_ci6_i0x5_co12_k3_pixelshuffle2_residual",
          "deform_n0_ci4_i0x0_co8_k3x2_s2x1_p1_g2_mask_nchw"})
        keys.emplace_back(key);
    expect_buffers_are_the_jits(keys);
}

TEST(LibraryHeader, EveryConvolutionsBuffersAreTheJits) {
    expect_buffers_are_the_jits(read_keys("conv_shapes.txt"));
}

TEST(LibraryHeader, OpenExtentsAreRefusedWhereNoDescriptorCanBeMade) {
    constexpr int kMost = 40;
    const std::vector<std::string> keys = {
        "conv_ci2_i0_co2_k3_s2_d2_p1",      "conv_ci2_i0_co2_k3_p3_reflect",
        "conv_ci2_i0_co2_k3_p2x4_circular", "conv_ci2_i0_co4_k2_s3_pixelshuffle2",
        "deconv_ci2_i0_co2_k3_s2_p5",       "deform_ci2_i0_co2_k4_s3_p1",
        "maxpool_ci2_i0_k1_s3_p0x2",    // windows that start in the end padding
        "maxpool_ci2_i0_k2_s2_d5_p3x1", // a window whose taps straddle the input
        "maxpool_ci2_i0_k4_s3_p2_ceil",     "avgpool_ci2_i0_k3_s2_p1x2_ceil_zeros",
        "avgpool_ci2_i0_k2_s5_p1x4",        "identity_ci2_i0_pm2xm3",
    };
    const library::Model model = model_of(keys);
    std::string program =
        std::string(kProlog) + stub_kernels(model, false) + "int main(void) {\n    int w;\n";
    std::string want;
    for (size_t i = 0; i < keys.size(); i++) {
        const ConvDesc desc = ConvDesc::parse(keys[i]);
        program += fmt::format("    for (w = -1; w <= {}; w++) {{\n        net_l{}_args args;\n", kMost, i);
        int64_t gigabytes = 0;
        for (const TensorSpec &spec : tensor_specs(desc, Packing()))
            program += fmt::format("        args.{} = (void *)(uintptr_t)(INT64_C({}) << 30);\n", spec.name,
                                   ++gigabytes);
        program +=
            fmt::format("        args.w = w;\n        printf(\"{1} %d: %d\\n\", w, net_l{0}(&args) == 0 ? "
                        "(int)NET_L{0}_OUT_W(w) : -net_l{0}(&args));\n    }}\n",
                        i, keys[i]);
        for (int w = -1; w <= kMost; w++) {
            int out = -10; // net_error_w
            try {
                out = stored_extents(with_sizes(desc, {1, {w}}))[0];
            } catch (const Error &) {
            }
            want += fmt::format("{} {}: {}\n", keys[i], w, out);
        }
    }
    EXPECT_EQ(run_with_header(model, program + "    return 0;\n}\n"), want);
}

TEST(LibraryHeader, TensorsThatOpenSizesMakeTooLargeAreRefused) {
    // 40 million rows: few enough elements of the input, too many of another tensor; 11 is
    // net_error_elements.
    const std::vector<std::pair<std::string, std::string>> layers = {
        {"conv_ci5_i0x5_co3_k1", "0"},
        {"conv_ci5_i0x5_co30_k1", "11"},
        {"conv_ci5_i0x5_co3_k1_into70x2", "11"},
        {"deform_ci5_i0x5_co3_k1x1", "0"},
        {"deform_ci5_i0x5_co3_k3x3_p1", "11"},
        {"deconv_ci1_i0x5_co1_k2_s9", "11"},
        {"deconv_ci1_i0x5_co1_k2_s2000000000x1", "11"}, // beyond 2^63 elements
        {"identity_ci5_i0x5_p0x3x0x3", "11"},
    };
    std::vector<std::string> keys;
    std::string want;
    for (const auto &[key, code] : layers) {
        keys.push_back(key);
        want += key + ": " + code + "\n";
    }
    want.replace(want.find("11"), 2, "11"); // every "11" is net_error_elements
    const library::Model model = model_of(keys);
    std::string program = std::string(kProlog) + stub_kernels(model, false) + "int main(void) {\n";
    for (size_t i = 0; i < keys.size(); i++) {
        program += fmt::format("    {{\n        net_l{}_args args;\n", i);
        int64_t terabytes = 0;
        for (const TensorSpec &spec : tensor_specs(ConvDesc::parse(keys[i]), Packing()))
            program += fmt::format("        args.{} = (void *)(uintptr_t)(INT64_C({}) << 40);\n", spec.name,
                                   ++terabytes);
        program += fmt::format(
            "        args.h = 40000000;\n        printf(\"{1}: %d\\n\", net_l{0}(&args));\n    }}\n", i,
            keys[i]);
    }
    EXPECT_EQ(run_with_header(model, program + "    return 0;\n}\n"), want);
}

} // namespace
} // namespace convsmith
