// Problems for tests, check and bench (see oracle.h): tensors of the right shapes, filled from a seed.
#include "generators/composite.h"
#include "generators/conv_shape.h"
#include "generators/signature.h"
#include "runtime/oracle.h"
#include "runtime/random.h"

#include <cmath>

namespace convsmith {

void fill(Tensor &tensor, Fill kind, uint64_t seed) {
    Random random(seed);
    const int most = tensor.dtype() == DType::Bool ? 1 : is_integer(tensor.dtype()) ? 100 : 0;
    for (int64_t i = 0; i < tensor.elements(); ++i) {
        const double value = kind == Fill::SmallIntegers ? static_cast<double>(random.between(-2, 2))
                             : most > 0                  ? static_cast<double>(random.between(-most, most))
                                                         : random.uniform();
        tensor.set(i, is_unsigned(tensor.dtype()) ? std::fabs(value) : value);
    }
}

const Tensor &Problem::operator[](const std::string &name) const {
    static const Tensor none;
    const auto found = tensors.find(name);
    return found == tensors.end() ? none : found->second;
}

OracleTensors Problem::view() const {
    OracleTensors views;
    for (const auto &[name, tensor] : tensors) {
        if (tensor.data() != nullptr) {
            views[name] = tensor.view();
        }
    }
    return views;
}

namespace {

/// The tensors that are filters, or those that are not.
NamedTensors select_filters(const Problem &problem, bool are_filters) {
    NamedTensors selected;
    for (const auto &[name, view] : problem.view()) {
        if (is_filter_name(name) == are_filters) {
            selected[name] = view;
        }
    }
    return selected;
}

} // namespace

NamedTensors Problem::filters() const {
    return select_filters(*this, true);
}

NamedTensors Problem::call(const TensorView &output) const {
    NamedTensors call = select_filters(*this, false);
    call["output"] = output;
    return call;
}

Problem make_problem(const ConvDesc &closed, Fill kind, uint64_t seed) {
    closed.validate();
    if (closed.is_open()) {
        throw Error(ErrorCode::BadArgument,
                    "make_problem: open extents, want every size given: " + closed.key());
    }
    Problem problem;
    problem.desc = closed;
    Random seeds(seed);
    for (const TensorSpec &spec : tensor_specs(closed, Packing())) {
        if (spec.role == TensorRole::Output || spec.role == TensorRole::Indices) {
            continue;
        }
        const bool is_filter = spec.role == TensorRole::Filter;
        Tensor tensor(spec.dtype, is_filter ? filter_shape(op_of(closed, spec)) : spec.shape);
        fill(tensor, kind, seeds.next());
        if (spec.role == TensorRole::Offset && kind == Fill::Uniform) {
            for (int64_t i = 0; i < tensor.elements(); ++i) {
                tensor.set(i, 3 * tensor.get(i)); // across cells, and out of the image
            }
        }
        problem.tensors.emplace(spec.name, std::move(tensor));
    }
    return problem;
}

} // namespace convsmith
