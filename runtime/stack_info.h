// What a list of layers costs and sees: totals with multiplicity, and the receptive field of the layers as
// one stack in order. Behind `convsmith info`; the numbers of a single layer are conv_shape.h's.
#pragma once

#include "generators/conv_shape.h"
#include "runtime/frontend/network.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace convsmith {

/// Costs of layers, each counted as often as its multiplicity says; 2^63 - 1 stands for anything larger.
struct Costs {
    int64_t parameters = 0;
    std::optional<int64_t> macs = 0;  ///< nothing if a size is open
    std::optional<int64_t> bytes = 0; ///< likewise: moved once, layer by layer
};

/// Costs of a layer run once.
Costs costs_of(const ConvDesc &desc);

/// Costs of all layers with their multiplicities.
Costs costs_of(const std::vector<Layer> &layers);

/// Arithmetic intensity: operations (two for each multiply-accumulate) per byte; nothing if a size is open.
std::optional<double> operations_per_byte(const Costs &costs);

/// What one output of the last layer sees of the first layer's input.
struct StackField {
    std::vector<ReceptiveField> axes; ///< outermost axis first; empty if there is no such field (see remarks)
    bool is_chain = true;             ///< each layer takes what the one before gives
    std::vector<std::string> remarks; ///< why there is none, or what makes the layers no plain stack
};

/// The layers are taken in order, each as often in a row as its multiplicity says. A layer of one position
/// after one of several sees them all (fully connected). Layers that do not take what the one before gives
/// are remarked upon and counted all the same; transposed convolutions and outputs rearranged in space have
/// no field of one size, so there is none.
StackField stack_field(const std::vector<Layer> &layers);

/// Cells of the field that are never seen ("gridding"), as first and last cell of each gap.
std::vector<std::pair<int64_t, int64_t>> unseen_ranges(const ReceptiveField &field);

} // namespace convsmith
