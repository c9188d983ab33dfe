// The Kernel of a convolution: checks tensors and calls linked code. Internal to runtime. Before it:
// object_store.h, which links the code; after it: jit.cpp, which keeps kernels.
#pragma once

#include "runtime/kernel.h"
#include "runtime/object_store.h"

#include <memory>

namespace convsmith {

/// What a kernel is made of.
struct KernelParts {
    ConvDesc desc;
    PlanChoice choice;
    std::shared_ptr<const LinkedKernel> code;
    std::shared_ptr<ObjectStore> store; ///< for the code that packs weights
};

std::shared_ptr<const Kernel> make_conv_kernel(KernelParts parts);

} // namespace convsmith
