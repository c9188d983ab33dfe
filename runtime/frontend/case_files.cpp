// Finds case files and hands each to the reader of its family (see case_files.h).
#include "runtime/frontend/case_files.h"

#include "generators/conv_shape.h"
#include "runtime/frontend/case_readers.h"
#include "runtime/frontend/file_io.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <filesystem>

namespace convsmith {

namespace fs = std::filesystem;

namespace {

bool is_case_file(const fs::path &path) {
    return path.filename() == "case.json" || path.filename() == "cases.json";
}

std::vector<fs::path> find_case_files(const std::string &path) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (!fs::exists(status)) {
        throw Error(ErrorCode::Io, "cases " + path + ": no such file or directory");
    }
    if (!fs::is_directory(status)) {
        return {path};
    }
    std::vector<fs::path> files;
    for (fs::recursive_directory_iterator it(path, error), end; it != end && !error; it.increment(error)) {
        if (is_case_file(it->path())) {
            files.push_back(it->path());
        }
    }
    if (error) {
        throw Error(ErrorCode::Io, "cases " + path + ": " + error.message());
    }
    if (files.empty()) {
        throw Error(ErrorCode::BadArgument, "cases " + path + ": no case.json or cases.json at or below it");
    }
    std::sort(files.begin(), files.end());
    return files;
}

/// What the directory given by the user adds nothing to.
std::string name_of(const fs::path &file, const std::string &root) {
    const fs::path place = file.filename() == "case.json" ? file.parent_path() : file;
    const std::string relative = place.lexically_relative(root).string();
    return relative.empty() || relative == "." ? place.string() : relative;
}

using Reader = void (*)(const JsonField &, ConformanceCase &);

ConformanceCase read_one(const std::string &name, const JsonField &root, Reader reader) {
    ConformanceCase result;
    result.name = name;
    result.path = root.file();
    try {
        reader(root, result);
    } catch (const Error &error) {
        result.malformed = error.what();
    }
    return result;
}

void read_file_of_cases(const fs::path &file, const std::string &name, std::vector<ConformanceCase> &cases) {
    ConformanceCase broken;
    broken.name = name;
    broken.path = file.string();
    try {
        const nlohmann::json json = nlohmann::json::parse(read_file(file.string()));
        const JsonField root(file.string(), json);
        if (!root.has("cases")) {
            cases.push_back(read_one(name, root, root.has("nodes") ? read_onnx_case : read_cmsis_case));
            return;
        }
        int64_t index = 0;
        for (const JsonField &item : root.at("cases").items()) {
            cases.push_back(read_one(fmt::format("{}#{}", name, index++), item, read_webnn_case));
        }
        return;
    } catch (const nlohmann::json::exception &error) {
        broken.malformed = fmt::format("{}: is not JSON: {}", file.string(), error.what());
    } catch (const Error &error) {
        broken.malformed = error.what();
    }
    cases.push_back(std::move(broken));
}

void expect_shape(const JsonField &root, const char *name, const Tensor &tensor,
                  const std::vector<int64_t> &want) {
    if (tensor.shape() != want) {
        root.fail(fmt::format("{} is {}, want {}", name, shape_text(tensor.shape()), shape_text(want)));
    }
}

} // namespace

std::vector<ConformanceCase> load_cases(const std::string &path) {
    std::vector<ConformanceCase> cases;
    for (const fs::path &file : find_case_files(path)) {
        read_file_of_cases(file, name_of(file, path), cases);
    }
    return cases;
}

void complete_case(const JsonField &root, const ConvDesc &desc, CaseTensors tensors,
                   ConformanceCase &target) {
    try {
        desc.validate();
    } catch (const Error &error) {
        if (error.code() == ErrorCode::Unsupported) {
            target.skipped = error.what();
            return;
        }
        root.fail(error.what());
    }
    expect_shape(root, "input", tensors.input, input_shape(desc));
    if (op_info(desc.op).has_filter) {
        expect_shape(root, "filter", tensors.filter, filter_shape(desc));
        target.problem["filter"] = std::move(tensors.filter);
    }
    expect_shape(root, "expected output", tensors.expected, output_shape(desc));
    if (desc.has_operand(Operand::Bias)) {
        expect_shape(root, "bias", tensors.bias, {desc.co});
        target.problem["bias"] = std::move(tensors.bias);
    }
    target.problem.desc = desc;
    target.problem["input"] = std::move(tensors.input);
    target.expected = std::move(tensors.expected);
    if (root.has("atol")) {
        target.atol = root.at("atol").number();
    }
    if (root.has("rtol")) {
        target.rtol = root.at("rtol").number();
    }
}

Spatial to_spatial(const std::vector<int64_t> &numbers, int rank, const JsonField &field) {
    if (static_cast<int>(numbers.size()) != rank) {
        field.fail(fmt::format("has {} entries, want {}", numbers.size(), rank));
    }
    Spatial result = {1, 1, 1};
    for (int a = 0; a < rank; ++a) {
        if (numbers[a] < 0 || numbers[a] > INT_MAX) {
            field.fail(fmt::format("entry {} is {}, want 0 to {}", a, numbers[a], INT_MAX));
        }
        result[a] = static_cast<int>(numbers[a]);
    }
    return result;
}

int to_extent(int64_t number, const JsonField &field) {
    if (number < 1 || number > INT_MAX) {
        field.fail(fmt::format("is {}, want 1 to {}", number, INT_MAX));
    }
    return static_cast<int>(number);
}

} // namespace convsmith
