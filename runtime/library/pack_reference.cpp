// Weight packing by plain loops (see pack_reference.h).
#include "runtime/library/pack_reference.h"

#include "generators/conv_shape.h"
#include "generators/error.h"

#include <cstring>

namespace convsmith::library {

namespace {

/// Index of the filter of output channel `co` and its group's input channel `ci` in filter_shape.
int64_t user_index(const ConvDesc &desc, int64_t co, int64_t ci) {
    const int64_t group_ci = desc.ci / desc.groups, group_co = desc.co / desc.groups;
    if (desc.op == Op::Deconv)
        return (co / group_co * group_ci + ci) * group_co + co % group_co;
    return co * group_ci + ci;
}

} // namespace

Tensor pack_reference(const ConvDesc &desc, const Packing &packing, const Tensor &filter) {
    CONVSMITH_CHECK(filter.shape() == filter_shape(desc) && filter.dtype() == desc.weight_type);
    Tensor packed(filter.dtype(), packed_filter_shape(desc, packing));
    const size_t bytes = dtype_bytes(filter.dtype());
    const int64_t ci_count = desc.ci / desc.groups;
    const int64_t taps = spatial_product(desc.kernel, desc.rank);
    for (int64_t co = 0; co < desc.co; co++) {
        const int64_t co_o = co / packing.co_block, co_i = co % packing.co_block;
        for (int64_t ci = 0; ci < ci_count; ci++) {
            for (int64_t tap = 0; tap < taps; tap++) {
                const int64_t from = user_index(desc, co, ci) * taps + tap;
                const int64_t to = ((co_o * taps + tap) * ci_count + ci) * packing.co_block + co_i;
                std::memcpy(packed.as<char>() + to * bytes, filter.as<char>() + from * bytes, bytes);
            }
        }
    }
    return packed;
}

} // namespace convsmith::library
