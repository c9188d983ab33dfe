// A descriptor as a oneDNN primitive: the one place that translates windows, weights and epilogues. Before
// it: the descriptor; after it: onednn.cpp, which gives the primitive memory and runs it.
#pragma once

#include "bench/peers/peer_op.h"

#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <variant>
#include <vector>

namespace convsmith::bench {

/// A primitive and the memory it asks for. `weights` and `bias` are empty where the op has none.
struct OnednnPrimitive {
    dnnl::primitive primitive;
    dnnl::memory::desc src, weights, bias, dst;
    std::string implementation;
};

/// The layouts in which oneDNN may be asked to read the input: one that leaves the choice to it where it can
/// choose (convolutions), every one that it may have a kernel for where it cannot (pools).
std::vector<dnnl::memory::format_tag> source_layouts(const ConvDesc &op);

/// The primitive of one op, bias and epilogue included. Throws dnnl::error if the library has none.
std::variant<OnednnPrimitive, NotPrepared>
make_onednn_primitive(const ConvDesc &op, dnnl::memory::format_tag source, const dnnl::engine &engine);

/// The caller's tensors as oneDNN sees them: dimensions in oneDNN's order over the descriptor's memory order.
dnnl::memory::desc user_input(const ConvDesc &op);
dnnl::memory::desc user_output(const ConvDesc &op);
dnnl::memory::desc user_filter(const ConvDesc &op);

} // namespace convsmith::bench
