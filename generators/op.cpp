// The op table as data (see op.h).
#include "generators/op.h"

namespace convsmith {

const std::vector<OpInfo> &op_table() {
    static const std::vector<OpInfo> table = {
#define CONVSMITH_OP(enum_, name_, has_filter_, is_pool_, formula_)                                          \
    {Op::enum_, #name_, has_filter_, is_pool_, formula_},
#include "generators/ops.inc"
#undef CONVSMITH_OP
    };
    return table;
}

const OpInfo &op_info(Op op) {
    return op_table().at(static_cast<size_t>(op));
}

} // namespace convsmith
