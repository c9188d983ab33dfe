// Checks of the tensors of a call and the buffers made of them, computed once per problem size so that a call
// costs comparisons only. Internal to runtime. Before it: signature.h; after it: kernel.cpp.
#pragma once

#include "generators/signature.h"
#include "runtime/tensor.h"

#include <HalideRuntime.h>
#include <array>
#include <string>
#include <vector>

namespace convsmith {

/// Most tensors a call has: an op has up to 12, a composite as many for each op.
constexpr int kMaxCallTensors = 64;

/// What one tensor of a call must be, and the buffer the kernel sees if it is.
struct TensorCheck {
    std::string name;              ///< for messages: "input", "filter", ...
    std::vector<std::string> axes; ///< for messages: "n", "h", "w", "c", ...
    TensorView want;               ///< data == nullptr
    size_t element_bytes = 0;
    size_t bytes = 0;
    size_t begin_bytes = 0; ///< before the first element that the kernel sees
    int dimensions = 0;
    std::array<halide_dimension_t, kMaxTensorRank> dims = {};

    /// Throws Error(BadArgument) with tensor, axis, got and want unless `got` is as wanted. Allocates only if
    /// it throws.
    void check(const TensorView &got) const {
        if (!matches(got))
            fail(got);
    }

    /// The kernel's buffer over a view that passed check(); refers to this object's dims.
    halide_buffer_t buffer(const TensorView &view) const;

private:
    bool matches(const TensorView &got) const;
    [[noreturn]] void fail(const TensorView &got) const;
};

/// Halide's runtime type for an element type.
halide_type_t runtime_type(DType type);

/// Names of the axes of a tensor as the caller sees it, outermost first.
std::vector<std::string> axis_names(const ConvDesc &desc, const TensorSpec &spec);
/// The kernel's spatial axes in the same order, e.g. {"kh", "kw"}.
std::vector<std::string> kernel_axis_names(int rank);

/// The tensors of a call of one size, in call order.
struct CallCheck {
    Sizes sizes; ///< what sizes_of_input gave; unused for a closed descriptor
    std::vector<TensorRole> roles;
    std::vector<TensorCheck> tensors;

    bool is_written(size_t i) const {
        return roles[i] == TensorRole::Output || roles[i] == TensorRole::Indices;
    }
};

/// For a closed descriptor, or an open one made closed by with_sizes.
CallCheck make_call_check(const ConvDesc &closed, const Packing &packing);

/// The sizes of a call of an open descriptor, the open ones taken from its input; entries beyond the rank are
/// 0. Throws Error(BadArgument).
Sizes sizes_of_input(const ConvDesc &desc, const TensorView &input);

/// Throws Error(BadArgument) if `tensors` has a tensor that the call does not take; `used` is how many of
/// them it does.
void check_no_others(const CallCheck &call, const NamedTensors &tensors, size_t used);

/// Throws Error(BadArgument) if the memory of `a` and `b` overlaps.
void check_disjoint(const TensorCheck &a, const TensorView &a_view, const TensorCheck &b,
                    const TensorView &b_view);

} // namespace convsmith
