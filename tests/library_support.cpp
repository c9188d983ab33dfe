// Generated C programs for the tests of the library writer (see library_support.h).
#include "tests/library_support.h"

#include "runtime/library/model.h"

#include <fmt/format.h>

namespace convsmith {

namespace {

constexpr const char *kProlog = R"(
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *directory;

static FILE *open_file(const char *layer, const char *tensor, const char *mode) {
    char path[1000];
    FILE *file;
    snprintf(path, sizeof path, "%s/%s.%s", directory, layer, tensor);
    file = fopen(path, mode);
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    return file;
}

static void *allocate(size_t bytes) {
    void *memory = NULL;
    if (posix_memalign(&memory, 64, bytes) != 0)
        exit(1);
    memset(memory, 0xff, bytes); /* what a kernel does not write shows */
    return memory;
}

static void *load(const char *layer, const char *tensor, size_t bytes) {
    void *memory = allocate(bytes);
    FILE *file = open_file(layer, tensor, "rb");
    if (fread(memory, 1, bytes, file) != bytes) {
        fprintf(stderr, "%s.%s is short\n", layer, tensor);
        exit(1);
    }
    fclose(file);
    return memory;
}

static void save(const char *layer, const char *tensor, const void *data, size_t bytes) {
    FILE *file = open_file(layer, tensor, "wb");
    if (fwrite(data, 1, bytes, file) != bytes)
        exit(1);
    fclose(file);
}

static void check(const char *what, int code, const char *text) {
    if (code != 0) {
        fprintf(stderr, "%s: %d %s\n", what, code, text);
        exit(1);
    }
}
)";

std::string upper_case(std::string text) {
    for (char &c : text)
        c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return text;
}

/// C's name of an element type, spelled here once more to judge the header's.
std::string type_name(DType type) {
    if (!is_integer(type))
        return type == DType::F64 ? "double" : "float";
    return fmt::format("{}int{}_t", is_unsigned(type) ? "u" : "", 8 * dtype_bytes(type));
}

/// Tensors of a call, without those that a library holds.
std::vector<TensorSpec> passed_tensors(const ConvDesc &desc, bool baked) {
    std::vector<TensorSpec> passed;
    for (const TensorSpec &spec : tensor_specs(desc, Packing())) {
        if (!baked || !library::is_trained(spec))
            passed.push_back(spec);
    }
    return passed;
}

bool is_written(const TensorSpec &spec) {
    return spec.role == TensorRole::Output || spec.role == TensorRole::Indices;
}

size_t bytes_of(const TensorSpec &spec) {
    return Tensor(spec.dtype, spec.shape).bytes();
}

/// The value of a member of the args struct.
std::string member_value(const CCall &call, const TensorSpec &spec) {
    if (spec.role == TensorRole::Filter)
        return spec.name;
    const std::string memory = is_written(spec) ? fmt::format("allocate({})", bytes_of(spec))
                                                : fmt::format("load(\"{}\", \"{}\", {})", call.id, spec.name,
                                                              call.problem[spec.name].bytes());
    return fmt::format("({} *){}", type_name(spec.dtype), memory);
}

/// Declares a packed filter and fills it from its file.
std::string pack_statements(const CCall &call, const TensorSpec &filter, const std::string &prefix) {
    const std::string text =
        fmt::format("        {0} *{1} = ({0} *)allocate({2}_{3}_ELEMENTS * sizeof({0}));\n",
                    type_name(filter.dtype), filter.name, upper_case(prefix), upper_case(filter.name));
    return text + fmt::format("        check(\"pack\", {}_{}(({} *)load(\"{}\", \"{}\", {}), {}), \"\");\n",
                              prefix, tensor_name("pack", filter.op), type_name(filter.dtype), call.id,
                              filter.name, call.problem[filter.name].bytes(), filter.name);
}

std::string call_block(const std::string &name, const CCall &call, bool baked) {
    const ConvDesc &desc = call.problem.desc;
    const std::string prefix = fmt::format("{}_{}", name, call.id);
    std::string text = fmt::format("    {{\n        {}_args args;\n", prefix), saves;
    for (const TensorSpec &spec : passed_tensors(desc, baked)) {
        if (spec.role == TensorRole::Filter)
            text += pack_statements(call, spec, prefix);
    }
    for (const TensorSpec &spec : passed_tensors(desc, baked)) {
        text += fmt::format("        args.{} = {};\n", spec.name, member_value(call, spec));
        if (is_written(spec))
            saves += fmt::format("        save(\"{0}\", \"{1}\", args.{1}, {2});\n", call.id, spec.name,
                                 bytes_of(spec));
    }
    if (call.layer.n == 0)
        text += fmt::format("        args.n = {};\n", desc.n);
    for (int axis = 0; axis < desc.rank; axis++) {
        if (call.layer.in[axis] != 0)
            continue;
        const char extent = axis_name(axis, desc.rank);
        text += fmt::format("        args.{} = {};\n", extent, desc.in[axis]);
        text += fmt::format("        check(\"{0}: OUT_{1}\", {0}_OUT_{1}(args.{2}) != {3}, \"\");\n",
                            upper_case(prefix), upper_case({extent}), extent, stored_extents(desc)[axis]);
    }
    text += fmt::format("        {{\n            int code = {0}(&args);\n            check(\"{0}\", code, "
                        "{1}_error_text(code));\n        }}\n",
                        prefix, name);
    return text + saves + "    }\n";
}

Tensor load_tensor(const std::filesystem::path &path, DType type, const std::vector<int64_t> &shape) {
    const std::string bytes = read_text(path);
    Tensor tensor(type, shape);
    EXPECT_EQ(bytes.size(), tensor.bytes()) << path;
    std::copy_n(bytes.begin(), std::min(bytes.size(), tensor.bytes()), tensor.as<char>());
    return tensor;
}

} // namespace

std::string c_program(const std::string &name, const std::vector<CCall> &calls, bool baked) {
    std::string text = fmt::format("#include \"{}.h\"\n", name) + kProlog;
    text += "int main(int argc, char **argv) {\n    if (argc != 2)\n        return 1;\n    directory = "
            "argv[1];\n";
    for (const CCall &call : calls)
        text += call_block(name, call, baked);
    return text + "    return 0;\n}\n";
}

void expect_calls_match_oracle(const Toolchain &tools, const BuiltLibrary &library,
                               const std::vector<CCall> &calls, bool baked) {
    const TempDir files;
    for (const CCall &call : calls) {
        for (const auto &[tensor, values] : call.problem.tensors)
            write_text(files.path() / (call.id + "." + tensor),
                       std::string(values.as<char>(), values.bytes()));
    }
    run_c(tools, c_program(library.name, calls, baked), {library}, {files.string()});
    for (const CCall &call : calls) {
        const ConvDesc &desc = call.problem.desc;
        const Tensor output =
            load_tensor(files.path() / (call.id + ".output"), desc.out_type, output_shape(desc));
        Tensor indices;
        if (desc.indices != Indices::None)
            indices = load_tensor(files.path() / (call.id + ".indices"), DType::I64, written_shape(desc));
        const Judgement judgement =
            judge(desc, call.problem.view(), output.view(), JudgeOptions(), indices.view());
        EXPECT_TRUE(judgement.ok()) << tools.platform << " " << call.id << ": " << judgement.first_wrong;
    }
}

} // namespace convsmith
