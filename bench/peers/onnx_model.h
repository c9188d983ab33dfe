// A descriptor as an ONNX model with its weights in it, for peers that read models. Channels first, as ONNX
// has it. Before it: a problem; after it: onnxruntime.cpp.
#pragma once

#include "bench/peers/peer.h"

#include <map>
#include <string>
#include <variant>

namespace convsmith::bench {

/// Begins the names of operators that only prepare an input, as the layers before would have left it.
constexpr const char *kBeforeLayer = "before_layer_";

/// A model and what goes in.
struct OnnxModel {
    std::string bytes;                    ///< a serialised ModelProto; its output is called "output"
    std::map<std::string, Tensor> inputs; ///< by name, channels first
};

/// All ops of `desc`, as operators of the standard. Closed f32 descriptors; the reason if ONNX has no
/// operator for some part.
std::variant<OnnxModel, NotPrepared> make_onnx_model(const ConvDesc &desc, const OracleTensors &tensors);

/// An activation tensor with its channels moved to the front, and back. `shape` is that of the result.
Tensor to_channels_first(const TensorView &tensor, Layout layout);
Tensor from_channels_first(const TensorView &tensor, Layout layout, const std::vector<int64_t> &shape);

} // namespace convsmith::bench
