// The fields of a descriptor key as tables, which writing (conv_key.cpp) and reading (key_reader.cpp) share.
// Internal to the two.
#pragma once

#include "generators/conv_desc.h"

#include <string>
#include <vector>

namespace convsmith {

/// A set of ops.
constexpr unsigned bit(Op op) {
    return 1u << static_cast<unsigned>(op);
}

/// A field made of a name and numbers: one for a scalar, one per axis, or begin and end of every axis.
struct NumberField {
    std::string name;
    unsigned ops; ///< that have it
    bool is_required;
    int ConvDesc::*scalar;
    Spatial ConvDesc::*axes;
    Spatial ConvDesc::*axes_end; ///< after `axes`
};

/// In the order of a key.
const std::vector<NumberField> &number_fields();

/// The fields that a composite's later ops take over.
bool is_shared(const NumberField &field);

/// Words for what is off by default, with or without a number.
inline const struct {
    const char *name;
    Rearrange rearrange;
} kRearranges[] = {{"shuffle", Rearrange::Shuffle},
                   {"depthtospace", Rearrange::DepthToSpace},
                   {"pixelshuffle", Rearrange::PixelShuffle},
                   {"spacetodepth", Rearrange::SpaceToDepth}};

inline const struct {
    const char *name;
    Indices indices;
} kIndices[] = {{"indices", Indices::RowMajor}, {"colindices", Indices::ColumnMajor}};

} // namespace convsmith
