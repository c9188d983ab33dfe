// Generated C programs for the tests of the library writer (see library_support.h).
#include "tests/library_support.h"

#include <fmt/format.h>

namespace convsmith {

namespace {

constexpr const char *kProlog = R"(
#include <stdio.h>
#include <stdlib.h>

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

static void save(const char *layer, const void *data, size_t bytes) {
    FILE *file = open_file(layer, "output", "wb");
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

std::string type_name(DType type) {
    return type == DType::F64 ? "double" : "float";
}

std::string call_block(const std::string &name, const CCall &call, bool baked) {
    const ConvDesc &desc = call.problem.desc;
    const std::string prefix = fmt::format("{}_{}", name, call.id);
    std::string macro = prefix;
    for (char &c : macro)
        c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    const auto load = [&](const Tensor &tensor, const char *what) {
        return fmt::format("load(\"{}\", \"{}\", {})", call.id, what, tensor.bytes());
    };
    std::string text = fmt::format("    {{\n        {}_args args;\n", prefix);
    if (!baked) {
        const std::string type = type_name(desc.weight_type);
        text += fmt::format("        {0} *packed = ({0} *)allocate({1}_FILTER_ELEMENTS * sizeof({0}));\n",
                            type, macro);
        text += fmt::format("        check(\"pack\", {0}_pack(({1} *){2}, packed), \"\");\n", prefix, type,
                            load(call.problem["filter"], "filter"));
        text += "        args.filter = packed;\n";
    }
    text += fmt::format("        args.input = ({} *){};\n", type_name(desc.in_type),
                        load(call.problem["input"], "input"));
    if (desc.has_operand(Operand::Bias) && !baked)
        text += fmt::format("        args.bias = ({} *){};\n", type_name(desc.acc_type),
                            load(call.problem["bias"], "bias"));
    if (desc.has_operand(Operand::Residual))
        text += fmt::format("        args.residual = ({} *){};\n", type_name(desc.out_type),
                            load(call.problem["residual"], "residual"));
    const Tensor output(desc.out_type, output_shape(desc));
    text +=
        fmt::format("        args.output = ({} *)allocate({});\n", type_name(desc.out_type), output.bytes());
    if (call.layer.n == 0)
        text += fmt::format("        args.n = {};\n", desc.n);
    const std::string axes = std::string("dhw").substr(static_cast<size_t>(3 - desc.rank));
    for (int axis = 0; axis < desc.rank; axis++) {
        if (call.layer.in[axis] == 0)
            text += fmt::format("        args.{} = {};\n", axes[static_cast<size_t>(axis)], desc.in[axis]);
    }
    text += fmt::format("        {{\n            int code = {0}(&args);\n            check(\"{0}\", code, "
                        "{1}_error_text(code));\n        }}\n",
                        prefix, name);
    return text + fmt::format("        save(\"{}\", args.output, {});\n    }}\n", call.id, output.bytes());
}

void save_tensor(const std::filesystem::path &path, const Tensor &tensor) {
    if (tensor.data() != nullptr)
        write_text(path, std::string(tensor.as<char>(), tensor.bytes()));
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
        const std::filesystem::path stem = files.path() / call.id;
        save_tensor(stem.string() + ".input", call.problem["input"]);
        save_tensor(stem.string() + ".filter", call.problem["filter"]);
        save_tensor(stem.string() + ".bias", call.problem["bias"]);
        save_tensor(stem.string() + ".residual", call.problem["residual"]);
    }
    run_c(tools, c_program(library.name, calls, baked), {library}, {files.string()});
    for (const CCall &call : calls) {
        const std::string bytes = read_text(files.path() / (call.id + ".output"));
        Tensor output(call.problem.desc.out_type, output_shape(call.problem.desc));
        ASSERT_EQ(bytes.size(), output.bytes()) << call.id;
        std::copy(bytes.begin(), bytes.end(), output.as<char>());
        const Judgement judgement = judge(call.problem.desc, call.problem.view(), output.view());
        EXPECT_TRUE(judgement.ok()) << tools.platform << " " << call.id << ": " << judgement.first_wrong;
    }
}

} // namespace convsmith
