// The fields of one layer of a layer list (docs/layer_lists.md): from JSON to a descriptor and back. Internal
// to the readers and writers of layer lists.
#pragma once

#include "generators/conv_desc.h"
#include "runtime/frontend/json_fields.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace convsmith {

/// Thrown for a layer that is valid but that convsmith does not compile.
struct UnsupportedLayer {
    std::string reason;
};

/// Defaults that the file states once for all layers; empty where it does not.
struct ListDefaults {
    std::string layout;
    std::string dtype;
};

/// How a layer states its window.
enum class ListedForm {
    Window, ///< kernel, stride, ...
    Global, ///< a pool of the whole image
    Linear, ///< fully connected: a pointwise convolution of one position
};

/// What a layer's `op` means.
struct ListedOp {
    Op op = Op::Conv;
    ListedForm form = ListedForm::Window;
};

/// The op of that name: those of ops.inc, deform_conv, linear, globalavgpool, globalmaxpool, globallppool.
/// Nothing for others.
std::optional<ListedOp> find_listed_op(const std::string &name);

/// Words of `indices` and `rearrange`; absence is none.
const std::vector<std::pair<const char *, Indices>> &index_order_names();
const std::vector<std::pair<const char *, Rearrange>> &rearrange_names();

/// The descriptor that the fields state, not yet validated. Throws Error naming layer and field, or
/// UnsupportedLayer.
ConvDesc read_layer_fields(const JsonFields &fields, const ListedOp &op, const ListDefaults &defaults);

/// The activation of the layer's input (`pre`) as an op of its own; nothing if there is none.
std::optional<ConvDesc> read_input_activation(const JsonFields &fields, const ConvDesc &desc);

/// Every field of a descriptor but its key, in the order in which lists are written.
Json layer_fields(const ConvDesc &desc);

} // namespace convsmith
