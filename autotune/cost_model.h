// Gradient-boosted trees (XGBoost) that learn a number from features: several on different samples of the
// same data, whose disagreement says how little is known. Used by the strategy `learned`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace convsmith::autotune {

/// Rows of features, all of one length, one after the other.
struct FeatureRows {
    size_t width = 0;
    std::vector<float> values;

    size_t rows() const { return width == 0 ? 0 : values.size() / width; }
    /// Throws Error(BadArgument) if the length is not `width`; the first row sets it.
    void add(const std::vector<float> &row);
};

/// What is to be learned.
struct TrainingSet {
    FeatureRows features;
    std::vector<float> labels;  ///< one a row, finite
    std::vector<float> weights; ///< one a row, positive
};

class CostModel {
public:
    /// Trains at once, on one thread: the same arguments give the same predictions. Throws
    /// Error(BadArgument) for an empty set or numbers that are not one a row, Error(Internal) with
    /// XGBoost's message if that fails.
    CostModel(const TrainingSet &set, uint64_t seed);
    ~CostModel();
    CostModel(const CostModel &) = delete;
    CostModel &operator=(const CostModel &) = delete;

    /// Members of the ensemble.
    static constexpr size_t kMembers = 6;

    /// Predictions of each member: one vector a member, one number a row.
    std::vector<std::vector<float>> predict(const FeatureRows &rows) const;

private:
    struct Ensemble;
    std::unique_ptr<Ensemble> ensemble_;
};

} // namespace convsmith::autotune
