// Depthwise-pointwise pairs, which one kernel can compute together (generators/composite.h). Used for ONNX
// models (onnx_composites.h) and for layer lists (spec.cpp).
#pragma once

#include "runtime/frontend/network.h"

namespace convsmith::frontend {

/// True if `first` is a depthwise and `second` a pointwise convolution, neither part of a composite.
bool is_pair(const ConvDesc &first, const ConvDesc &second);

/// Replaces every depthwise convolution and the pointwise convolution of its result that is the next layer of
/// the list by a chain of both, named "<depthwise>+<pointwise>". A layer that the network runs more often
/// than the other stays for the rest. Pairs that have no kernel stay apart. A list does not say who reads
/// what: the shapes do.
void join_listed_pairs(Network &network);

} // namespace convsmith::frontend
