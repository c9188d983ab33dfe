// The matrices of F(tile, kernel) from their interpolation points (see winograd_transform.h).
#include "generators/winograd_transform.h"

#include "generators/error.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace convsmith {
namespace {

constexpr double kPoints[] = {0, 1, -1, 0.5, -2};

/// Coefficients, constant first, of the product of (x - p) over the first `count` points without point
/// `skip`.
std::vector<double> product_of_roots(int count, int skip) {
    std::vector<double> polynomial = {1};
    for (int k = 0; k < count; k++) {
        if (k == skip)
            continue;
        polynomial.insert(polynomial.begin(), 0); // times x
        for (size_t i = 0; i + 1 < polynomial.size(); i++)
            polynomial[i] -= kPoints[k] * polynomial[i + 1];
    }
    return polynomial;
}

double sum_of_squares(const std::vector<double> &row) {
    double sum = 0;
    for (const double x : row)
        sum += x * x;
    return sum;
}

} // namespace

WinogradTransform winograd_transform(int tile, int kernel) {
    WinogradTransform t;
    t.tile = tile;
    t.kernel = kernel;
    const int size = t.size();
    const int points = size - 1; // the last element belongs to the point at infinity
    CONVSMITH_CHECK(tile >= 1 && kernel >= 1 && points <= static_cast<int>(std::size(kPoints)));
    t.at.assign(tile, std::vector<double>(size, 0));
    t.g.assign(size, std::vector<double>(kernel, 0));
    for (int j = 0; j < points; j++) {
        double scale = 1; // of the Lagrange polynomial of point j
        for (int k = 0; k < points; k++)
            scale *= k == j ? 1 : kPoints[j] - kPoints[k];
        for (int i = 0; i < tile; i++)
            t.at[i][j] = std::pow(kPoints[j], i);
        for (int k = 0; k < kernel; k++)
            t.g[j][k] = std::pow(kPoints[j], k) / scale;
        t.bt.push_back(product_of_roots(points, j));
        t.bt.back().resize(size, 0);
    }
    t.at[tile - 1][size - 1] = 1;
    t.g[size - 1][kernel - 1] = 1;
    t.bt.push_back(product_of_roots(points, -1));
    return t;
}

double winograd_amplification(const WinogradTransform &transform) {
    double largest = 0;
    for (const std::vector<double> &row : transform.at) {
        double sum = 0;
        for (int j = 0; j < transform.size(); j++)
            sum += row[j] * row[j] * sum_of_squares(transform.g[j]) * sum_of_squares(transform.bt[j]);
        largest = std::max(largest, sum / transform.kernel);
    }
    return std::sqrt(largest);
}

} // namespace convsmith
