// Table of element types declared in dtype.h.
#include "generators/dtype.h"

#include <array>

namespace convsmith {
namespace {

struct DTypeRow {
    DType type;
    std::string name;
    size_t bytes;
    double roundoff;
};

const std::array<DTypeRow, 13> kDTypes = {{
    {DType::F32, "f32", 4, 0x1p-24},
    {DType::F64, "f64", 8, 0x1p-53},
    {DType::F16, "f16", 2, 0x1p-11},
    {DType::BF16, "bf16", 2, 0x1p-8},
    {DType::I8, "i8", 1, 0},
    {DType::U8, "u8", 1, 0},
    {DType::I16, "i16", 2, 0},
    {DType::U16, "u16", 2, 0},
    {DType::I32, "i32", 4, 0},
    {DType::U32, "u32", 4, 0},
    {DType::I64, "i64", 8, 0},
    {DType::U64, "u64", 8, 0},
    {DType::Bool, "bool", 1, 0},
}};

const DTypeRow &row(DType type) {
    return kDTypes.at(static_cast<size_t>(type));
}

} // namespace

const std::string &dtype_name(DType type) {
    return row(type).name;
}

std::optional<DType> parse_dtype(std::string_view name) {
    for (const DTypeRow &r : kDTypes) {
        if (r.name == name)
            return r.type;
    }
    return std::nullopt;
}

size_t dtype_bytes(DType type) {
    return row(type).bytes;
}

bool is_integer(DType type) {
    return row(type).roundoff == 0;
}

bool is_unsigned(DType type) {
    return type == DType::Bool || row(type).name[0] == 'u';
}

double unit_roundoff(DType type) {
    return row(type).roundoff;
}

} // namespace convsmith
