// Which outputs of a tensor too large to judge whole are judged: where kernels go wrong (corners, edges,
// block boundaries) first, then a seeded sample. Used by judge (oracle.cpp).
#pragma once

#include <cstdint>
#include <vector>

namespace convsmith {

/// Flat indices into a tensor of `shape` (C order), ascending, without repeats: every corner; for every
/// dimension its first and last elements and both sides of multiples of the usual block sizes, the other
/// coordinates drawn; the rest drawn from the whole tensor. About `count` of them, never fewer than the
/// corners.
std::vector<int64_t> sample_points(const std::vector<int64_t> &shape, int64_t count, uint64_t seed);

} // namespace convsmith
