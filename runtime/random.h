// Seeded random numbers that are the same on every machine and standard library (std distributions are not),
// so that a seed in a failure report reproduces the failure anywhere. Used by oracle, fuzz, check and tests.
#pragma once

#include <cstdint>

namespace convsmith {

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
class Random {
public:
    explicit Random(uint64_t seed) : state_(seed) {}

    /// 64 uniform bits.
    uint64_t next() {
        state_ += 0x9e3779b97f4a7c15u;
        uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }

    /// Uniform in [0, count); count > 0.
    int64_t below(int64_t count) { return static_cast<int64_t>(next() % static_cast<uint64_t>(count)); }

    /// Uniform in [low, high], both included.
    int between(int low, int high) { return low + static_cast<int>(below(int64_t{high} - low + 1)); }

    /// Uniform in [-1, 1), a multiple of 2^-52.
    double uniform() { return static_cast<double>(next() >> 11) * 0x1p-52 - 1; }

    /// True once in `n` draws on average.
    bool one_in(int n) { return below(n) == 0; }

    /// One of the elements of an array.
    template<typename T, int Count>
    const T &pick(const T (&from)[Count]) {
        return from[below(Count)];
    }

private:
    uint64_t state_;
};

} // namespace convsmith
