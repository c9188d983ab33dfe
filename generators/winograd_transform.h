// Winograd's minimal filtering F(tile, kernel) along one axis: its matrices and what its rounding costs.
// Before it: nothing; after it: the packed filter (pack_filter.cpp), the algorithm (winograd.cpp), the
// planner and the oracle, which all read their numbers here.
#pragma once

#include <vector>

namespace convsmith {

/// out = at * ((g * filter) . (bt * in)) with an element-wise product of `size` elements gives `tile` outputs
/// of a correlation with `kernel` taps: out[i] = sum_k filter[k] in[i + k]. Toom-Cook: polynomials are
/// multiplied by their values at the points 0, 1, -1, 1/2, -2, ... and infinity (Winograd 1980; Lavin and
/// Gray 2015, arXiv 1509.09308). These points give a smaller error than 0, +-1, +-2 (Barabasz et al. 2018,
/// arXiv 1803.10986). bt and at are dyadic fractions, exact in every type.
struct WinogradTransform {
    using Matrix = std::vector<std::vector<double>>;

    int tile = 1;
    int kernel = 1;
    Matrix at; ///< [tile][size]
    Matrix g;  ///< [size][kernel]
    Matrix bt; ///< [size][size]

    int size() const { return tile + kernel - 1; }
};

/// F(tile, kernel) for tile + kernel <= 7. An axis without window is F(1, 1), the identity.
WinogradTransform winograd_transform(int tile, int kernel);

/// Tiles that a plan may use: either with three taps, the first with five.
constexpr int kWinogradTiles[] = {2, 4};

/// Largest error of a Winograd convolution in f32, before its epilogue, as a fraction of the problem's
/// largest result.
///
/// Derivation. Let inputs and weights be random with independent signs; the result has variance 9 ci s^2 (s:
/// variance of a product). Element j of the products has variance ci |g_j|^2 |bt_j|^2 s^2 (|.|^2: a row's sum
/// of squares, of both axes multiplied), and its sum of ci terms a rounding error of variance u^2 / 3 * ci /
/// 2 times that (u = 2^-24, each rounding uniform in +-u, the partial sums growing evenly). Through `at` this
/// becomes, relative to the result,
///   rms = u / sqrt(3) * sqrt(ci / 2) * amplification,
///   amplification^2 = prod over axes of max_i sum_j at_ij^2 |g_j|^2 |bt_j|^2 / 3  (winograd_amplification),
/// 10.4 for F(4x4,3x3), 7.8 for F(2x2,5x5), 1.7 for F(2x2,3x3). The largest of a million errors is 5 rms, the
/// largest result 5 times the rms of results: the quotient stays below u / sqrt(3) * sqrt(ci / 2)
/// * 10.4, 8.1e-6 for the 1024 channels of the largest layers that networks have and 1.15e-5 for
/// kWinogradMaxChannels, below this bound. Rounding of the transforms themselves does not grow with ci and is
/// covered by the 32 channels that the planner asks for.
constexpr double kWinogradRelativeError = 2e-5;
constexpr int kWinogradMaxChannels = 2048;

/// How much larger the relative rounding error of a sum is in the transformed domain, along one axis.
double winograd_amplification(const WinogradTransform &transform);

} // namespace convsmith
