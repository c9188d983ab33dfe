// Composites: several ops computed by one kernel, intermediate results kept in strips. A chain feeds each op
// with the one before (depthwise-separable, spatially separable and flattened convolution, stacked small
// kernels, inverted bottlenecks); concat runs branches on one input and writes each into its channel range
// (Inception); excite scales the input by a branch (squeeze-and-excitation). They are fields of ConvDesc;
// each op is itself a descriptor.
#pragma once

#include "generators/conv_desc.h"

#include <vector>

namespace convsmith {

/// True if the descriptor has more than one op.
bool is_composite(const ConvDesc &desc);

/// The op of a variant that computes the whole descriptor: Op::Chain if it begins a chain, else its own.
Op whole_op(const ConvDesc &desc);

/// The ops with tensors of their own, in the order of the key: branches first, then the descriptor itself,
/// then what follows it. A simple descriptor is its only op. Refers into `desc`.
std::vector<const ConvDesc *> ops_of(const ConvDesc &desc);

/// True if any op reads trained weights.
bool reads_filter(const ConvDesc &desc);

/// The op whose result is stored.
const ConvDesc &last_op(const ConvDesc &desc);
ConvDesc &last_op(ConvDesc &desc);

/// The ops in a row, each taking the result of the one before: batch, input channels, extents, types and
/// layout of all but the first follow. Validated.
ConvDesc chain(const std::vector<ConvDesc> &ops);

/// Branches (ops or chains) of one input, their results side by side as channels. Validated.
ConvDesc concat(const std::vector<ConvDesc> &branches);

/// The branch's input, scaled by its result of one number per channel. Validated.
ConvDesc excite(const ConvDesc &branch);

/// Fills in what follows from the first op or the common input, without judging it.
void link_ops(ConvDesc &desc);

/// Throws Error naming the op if the ops do not fit together.
void validate_composite(const ConvDesc &desc);

} // namespace convsmith
