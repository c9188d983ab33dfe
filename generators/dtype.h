// Element types of tensors. The descriptor carries one for input, weights, accumulator and output;
// which combinations have kernels is decided by ConvDesc::validate.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace convsmith {

enum class DType { F32, F64, F16, BF16, I8, U8, I16, U16, I32, U32, I64, U64, Bool };

/// Lower-case name: "f32", "u8", ...
const std::string &dtype_name(DType type);

/// Inverse of dtype_name; nothing for an unknown name.
std::optional<DType> parse_dtype(std::string_view name);

/// Bytes of one element.
size_t dtype_bytes(DType type);

/// Whole numbers, booleans among them.
bool is_integer(DType type);

/// Integers without a sign, booleans among them.
bool is_unsigned(DType type);

/// Unit roundoff (2^-24 for f32, 2^-53 for f64); 0 for integers.
double unit_roundoff(DType type);

} // namespace convsmith
