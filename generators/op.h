// Op: what is computed of the window that slides over the input. The table is ops.inc (one row per op); the
// descriptor (conv_desc.h) carries one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace convsmith {

enum class Op {
#define CONVSMITH_OP(enum_, ...) enum_,
#include "generators/ops.inc"
#undef CONVSMITH_OP
};

/// A row of ops.inc.
struct OpInfo {
    Op op;
    std::string name;    ///< first token of a key
    bool has_filter;     ///< reads trained weights, so channels mix within groups
    bool is_pool;        ///< summarises a window of each channel by itself
    std::string formula; ///< the definition as text, with its source
};

/// All rows, in table order.
const std::vector<OpInfo> &op_table();

const OpInfo &op_info(Op op);

} // namespace convsmith
