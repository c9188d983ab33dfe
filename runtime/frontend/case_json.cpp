// Access to case files with errors that name file and field (see case_json.h).
#include "runtime/frontend/case_json.h"

#include "runtime/frontend/file_io.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <optional>

namespace convsmith {

void JsonField::fail(const std::string &problem) const {
    throw Error(ErrorCode::BadArgument,
                fmt::format("{}: field '{}': {}", file_, path_.empty() ? "(root)" : path_, problem));
}

JsonField JsonField::at(const std::string &name) const {
    const std::string path = path_.empty() ? name : path_ + "." + name;
    if (!has(name)) {
        throw Error(ErrorCode::BadArgument, fmt::format("{}: field '{}': missing", file_, path));
    }
    return {*this, path, (*value_)[name]};
}

std::vector<JsonField> JsonField::items() const {
    if (!value_->is_array()) {
        fail(fmt::format("is {}, want an array", value_->type_name()));
    }
    std::vector<JsonField> all;
    all.reserve(value_->size());
    for (size_t i = 0; i < value_->size(); ++i) {
        all.push_back({*this, fmt::format("{}[{}]", path_, i), (*value_)[i]});
    }
    return all;
}

std::vector<std::pair<std::string, JsonField>> JsonField::members() const {
    if (!value_->is_object()) {
        fail(fmt::format("is {}, want an object", value_->type_name()));
    }
    std::vector<std::pair<std::string, JsonField>> all;
    for (const auto &member : value_->items()) {
        all.emplace_back(member.key(), at(member.key()));
    }
    return all;
}

std::string JsonField::text() const {
    if (!value_->is_string()) {
        fail(fmt::format("is {}, want a string", value_->type_name()));
    }
    return value_->get<std::string>();
}

double JsonField::number() const {
    if (!value_->is_number()) {
        fail(fmt::format("is {}, want a number", value_->type_name()));
    }
    return value_->get<double>();
}

int64_t JsonField::integer() const {
    if (!value_->is_number_integer()) {
        fail(fmt::format("is {}, want an integer", value_->dump()));
    }
    return value_->get<int64_t>();
}

bool JsonField::boolean() const {
    if (!value_->is_boolean()) {
        fail(fmt::format("is {}, want true or false", value_->dump()));
    }
    return value_->get<bool>();
}

std::vector<int64_t> JsonField::integers() const {
    std::vector<int64_t> all;
    for (const JsonField &item : items()) {
        all.push_back(item.integer());
    }
    return all;
}

std::vector<double> JsonField::numbers() const {
    std::vector<double> all;
    for (const JsonField &item : items()) {
        all.push_back(item.number());
    }
    return all;
}

namespace {

/// Number of elements, or fails at `field` for a shape that no tensor has.
int64_t count_elements(const std::vector<int64_t> &shape, const JsonField &field) {
    if (shape.size() > kMaxTensorRank) {
        field.fail(fmt::format("has {} dimensions, want at most {}", shape.size(), kMaxTensorRank));
    }
    int64_t count = 1;
    for (const int64_t extent : shape) {
        if (extent < 0 || (extent > 0 && count > (int64_t{1} << 31) / extent)) {
            field.fail(
                fmt::format("is [{}], want extents >= 0 and at most 2^31 elements", fmt::join(shape, ", ")));
        }
        count *= extent;
    }
    return count;
}

} // namespace

TensorRecord::TensorRecord(const JsonField &record)
    : name(record.at("name").text()), dtype(record.at("dtype").text()), shape(record.at("shape").integers()),
      field(record) {}

Tensor TensorRecord::load() const {
    const int64_t count = count_elements(shape, field.at("shape"));
    const std::optional<DType> type = parse_dtype(dtype);
    if (!type) {
        field.at("dtype").fail("is '" + dtype + "', want f32, f64, f16, bool, i8, u8, ... or u64");
    }
    const std::filesystem::path path =
        std::filesystem::path(field.file()).parent_path() / field.at("file").text();
    const std::string bytes = read_file(path.string());
    const size_t want = static_cast<size_t>(count) * dtype_bytes(*type);
    if (bytes.size() != want) {
        field.at("file").fail(fmt::format("{} has {} bytes, want {} for {} {}", path.string(), bytes.size(),
                                          want, dtype, shape_text(shape)));
    }
    Tensor tensor(*type, shape);
    std::memcpy(tensor.data(), bytes.data(), bytes.size());
    return tensor;
}

Tensor make_f32_tensor(const std::vector<double> &numbers, const std::vector<int64_t> &shape,
                       const JsonField &field) {
    const int64_t count = count_elements(shape, field);
    if (static_cast<int64_t>(numbers.size()) != count) {
        field.fail(
            fmt::format("has {} numbers, want {} for shape {}", numbers.size(), count, shape_text(shape)));
    }
    Tensor tensor(DType::F32, shape);
    for (int64_t i = 0; i < count; ++i) {
        tensor.set(i, numbers[i]);
    }
    return tensor;
}

Tensor to_oihw(const Tensor &filter, const std::string &order) {
    static const std::string target_order = "oihw";
    const std::vector<int64_t> shape = filter.shape();
    CONVSMITH_CHECK(order.size() == target_order.size() && shape.size() == target_order.size());
    std::array<int64_t, 4> extent = {};
    std::array<int64_t, 4> stride = {};
    int64_t step = 1;
    for (size_t d = order.size(); d-- > 0;) {
        const size_t target = target_order.find(order[d]);
        CONVSMITH_CHECK(target != std::string::npos && stride[target] == 0);
        extent[target] = shape[d];
        stride[target] = step;
        step *= shape[d];
    }
    Tensor result(filter.dtype(), {extent.begin(), extent.end()});
    int64_t to = 0;
    for (int64_t o = 0; o < extent[0]; ++o) {
        for (int64_t i = 0; i < extent[1]; ++i) {
            for (int64_t h = 0; h < extent[2]; ++h) {
                for (int64_t w = 0; w < extent[3]; ++w) {
                    const int64_t from = o * stride[0] + i * stride[1] + h * stride[2] + w * stride[3];
                    result.set(to++, filter.get(from));
                }
            }
        }
    }
    return result;
}

} // namespace convsmith
