// The C header of a library: self-contained C99 and C++, no Halide. Written from the library's model and from
// the calling contract of signature.h; the objects it calls come from archive.h.
#pragma once

#include "runtime/library/model.h"
#include "runtime/library/text_template.h"

#include <string>

namespace convsmith::library {

/// The whole text of include/<name>.h.
std::string c_header(const Model &model);

/// The part of one kernel: argument struct, checks, buffers, call (c_header_kernel.cpp).
std::string c_kernel(const Model &model, const KernelEntry &kernel);

/// The public names of one layer: comment, size macros, and forwarding functions where the layer is not the
/// one that names its kernel (c_header_kernel.cpp).
std::string c_layer(const Model &model, const LayerEntry &layer);

/// What the header of a library of GPU kernels includes beside the others' (c_header_cuda.cpp).
std::string cuda_includes();

/// Its types and functions for calls on a device. Blanks: name, NAME, and most, the tensors of the longest
/// call.
std::string cuda_support(const Blanks &blanks);

/// The public functions of a kernel, which call @name@_internal_call_@id@(args, device). Blanks: name, id.
std::string cuda_functions(const Blanks &blanks);

/// C's name of an element type. Throws Error(Unsupported) if C has none.
std::string c_type(DType type);

} // namespace convsmith::library
