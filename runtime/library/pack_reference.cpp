// Weight packing by plain loops (see pack_reference.h).
#include "runtime/library/pack_reference.h"

#include "generators/conv_shape.h"
#include "generators/error.h"
#include "generators/winograd_transform.h"

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

/// The filter with its taps transformed in f64, [co][ci][k...], outermost axis of k first.
Tensor transformed_filter(const ConvDesc &desc, const Packing &packing, const Tensor &filter) {
    std::vector<int64_t> shape = {desc.co, desc.ci / desc.groups};
    std::vector<WinogradTransform::Matrix> g;
    for (int a = 0; a < desc.rank; a++) {
        const int kernel = desc.kernel[a];
        shape.push_back(packed_taps(desc, a, packing));
        if (transforms_axis(desc, a)) {
            g.push_back(winograd_transform(packing.tile, kernel).g);
            continue;
        }
        g.emplace_back(kernel, std::vector<double>(kernel, 0));
        for (int k = 0; k < kernel; k++)
            g.back()[k][k] = 1;
    }
    const int64_t taps = spatial_product(desc.kernel, desc.rank);
    Tensor result(filter.dtype(), shape);
    const int64_t elements = result.elements() / (shape[0] * shape[1]);
    for (int64_t i = 0; i < result.elements(); i++) {
        double sum = 0;
        for (int64_t tap = 0; tap < taps; tap++) {
            double term = filter.get(i / elements * taps + tap);
            int64_t element = i % elements, rest = tap;
            for (int a = desc.rank - 1; a >= 0; a--) {
                term *= g[a][element % shape[a + 2]][rest % desc.kernel[a]];
                element /= shape[a + 2];
                rest /= desc.kernel[a];
            }
            sum += term;
        }
        result.set(i, sum);
    }
    return result;
}

} // namespace

Tensor pack_reference(const ConvDesc &desc, const Packing &packing, const Tensor &plain) {
    CONVSMITH_CHECK(plain.shape() == filter_shape(desc) && plain.dtype() == desc.weight_type);
    const Tensor transformed = packing.is_transformed() ? transformed_filter(desc, packing, plain) : Tensor();
    const Tensor &filter = packing.is_transformed() ? transformed : plain;
    Tensor packed(filter.dtype(), packed_filter_shape(desc, packing));
    const size_t bytes = dtype_bytes(filter.dtype());
    const int64_t ci_count = desc.ci / desc.groups;
    const int64_t taps = filter.elements() / (desc.co * ci_count);
    for (int64_t co = 0; co < desc.co; co++) {
        const int64_t group_co = packing.by_group ? desc.co / desc.groups : desc.co;
        const int64_t blocks = (group_co + packing.co_block - 1) / packing.co_block;
        const int64_t within = co % group_co, co_i = within % packing.co_block;
        const int64_t co_o = co / group_co * blocks + within / packing.co_block;
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
