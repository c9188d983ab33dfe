// The layers that tables of machines not at hand list: one of each class. Used by static_table.cpp (CPUs) and
// cuda_table.cpp.
#pragma once

#include "schedules/plan.h"

#include <string>
#include <vector>

namespace convsmith {

struct StaticLayer {
    const char *name, *key;
    Accuracy accuracy = Accuracy::Exact;
};

/// Shapes of ResNet, VGG, MobileNet, GoogLeNet, ResNeXt, U-Net, WaveNet, C3D.
const std::vector<StaticLayer> &static_layers();

/// A row for each key, which must outlive it; the table's if there are none.
std::vector<StaticLayer> static_layers(const std::vector<std::string> &keys, Accuracy accuracy);

} // namespace convsmith
