// One reader per family of case files, chosen by load_cases (case_files.cpp). Internal to the front end.
#pragma once

#include "runtime/frontend/case_files.h"
#include "runtime/frontend/case_json.h"

namespace convsmith {

/// Fill `target` from the root (or, for WebNN, one element of "cases") of a file: either a problem with
/// expected values or target.skipped. Throw Error naming file and field for a malformed one.
void read_onnx_case(const JsonField &root, ConformanceCase &target);
void read_cmsis_case(const JsonField &root, ConformanceCase &target);
void read_webnn_case(const JsonField &root, ConformanceCase &target);

/// Tensors of a case, in the layout of its descriptor, the filter as filter_shape.
struct CaseTensors {
    Tensor input;
    Tensor filter; ///< empty if the op has none
    Tensor bias;   ///< empty if there is none
    Tensor expected;
};

/// Moves descriptor and tensors into `target`. Throws Error naming `root`'s file if the descriptor describes
/// no convolution or a tensor's shape is not the one it implies.
void complete_case(const JsonField &root, const ConvDesc &desc, CaseTensors tensors, ConformanceCase &target);

/// `numbers` as one entry per axis. Throws Error naming `field` if there are not `rank` of them or one is
/// negative or beyond int.
Spatial to_spatial(const std::vector<int64_t> &numbers, int rank, const JsonField &field);

/// An extent as int, at least 1. Throws Error naming `field`.
int to_extent(int64_t number, const JsonField &field);

} // namespace convsmith
