// See cost_model.h. The only file that sees XGBoost.
#include "autotune/cost_model.h"

#include "generators/error.h"

#include <xgboost/c_api.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace convsmith::autotune {

namespace {

void check(int code) {
    if (code != 0)
        throw Error(ErrorCode::Internal, std::string("cost model: XGBoost: ") + XGBGetLastError());
}

/// A matrix of XGBoost's; NaN is its word for "missing", which no feature is.
class Matrix {
public:
    explicit Matrix(const FeatureRows &rows) {
        constexpr int kThreads = 1;
        check(XGDMatrixCreateFromMat_omp(rows.values.data(), rows.rows(), rows.width,
                                         std::numeric_limits<float>::quiet_NaN(), &handle_, kThreads));
    }
    ~Matrix() { XGDMatrixFree(handle_); }
    Matrix(const Matrix &) = delete;
    Matrix &operator=(const Matrix &) = delete;

    void set(const char *field, const std::vector<float> &values) {
        check(XGDMatrixSetFloatInfo(handle_, field, values.data(), values.size()));
    }
    DMatrixHandle handle() const { return handle_; }

private:
    DMatrixHandle handle_ = nullptr;
};

/// Small trees on random parts of rows and features: a run has tens to thousands of rows, of which a dozen
/// are about the problem at hand.
constexpr std::pair<const char *, const char *> kSettings[] = {
    {"objective", "reg:squarederror"},
    {"base_score", "0"},
    {"tree_method", "exact"},
    {"max_depth", "4"},
    {"eta", "0.15"},
    {"subsample", "0.7"},
    {"colsample_bytree", "0.6"},
    {"min_child_weight", "1"},
    {"lambda", "1"},
    {"nthread", "1"},
    {"verbosity", "0"},
};
constexpr int kTrees = 80;

class Booster {
public:
    Booster(const Matrix &data, uint64_t seed) {
        const DMatrixHandle handle = data.handle();
        check(XGBoosterCreate(&handle, 1, &handle_));
        for (const auto &[name, value] : kSettings)
            check(XGBoosterSetParam(handle_, name, value));
        constexpr uint64_t kSeeds = uint64_t{1} << 31; // it reads an int
        check(XGBoosterSetParam(handle_, "seed", std::to_string(seed % kSeeds).c_str()));
        for (int tree = 0; tree < kTrees; tree++)
            check(XGBoosterUpdateOneIter(handle_, tree, handle));
    }
    ~Booster() { XGBoosterFree(handle_); }
    Booster(const Booster &) = delete;
    Booster &operator=(const Booster &) = delete;

    std::vector<float> predict(const Matrix &rows) const {
        constexpr int kValues = 0, kAllTrees = 0, kNotTraining = 0;
        bst_ulong count = 0;
        const float *values = nullptr; // the booster's until its next call
        check(XGBoosterPredict(handle_, rows.handle(), kValues, kAllTrees, kNotTraining, &count, &values));
        return {values, values + count};
    }

private:
    BoosterHandle handle_ = nullptr;
};

void validate(const TrainingSet &set) {
    const size_t rows = set.features.rows();
    if (rows == 0 || set.labels.size() != rows || set.weights.size() != rows)
        throw Error(ErrorCode::BadArgument, "cost model: got " + std::to_string(rows) + " rows, " +
                                                std::to_string(set.labels.size()) + " labels, " +
                                                std::to_string(set.weights.size()) +
                                                " weights, want as many of each and at least one");
    const auto is_finite = [](float value) { return std::isfinite(value); };
    if (!std::all_of(set.features.values.begin(), set.features.values.end(), is_finite) ||
        !std::all_of(set.labels.begin(), set.labels.end(), is_finite))
        throw Error(ErrorCode::BadArgument, "cost model: a feature or label is not finite");
    if (!std::all_of(set.weights.begin(), set.weights.end(),
                     [](float weight) { return std::isfinite(weight) && weight > 0; }))
        throw Error(ErrorCode::BadArgument, "cost model: a weight is not positive");
}

} // namespace

void FeatureRows::add(const std::vector<float> &row) {
    if (width == 0)
        width = row.size();
    if (row.size() != width || row.empty())
        throw Error(ErrorCode::BadArgument, "cost model: a row has " + std::to_string(row.size()) +
                                                " features, want " + std::to_string(width));
    values.insert(values.end(), row.begin(), row.end());
}

struct CostModel::Ensemble {
    size_t width;
    std::vector<std::unique_ptr<Booster>> members;
};

CostModel::CostModel(const TrainingSet &set, uint64_t seed) {
    validate(set);
    Matrix data(set.features);
    data.set("label", set.labels);
    data.set("weight", set.weights);
    ensemble_ = std::make_unique<Ensemble>();
    ensemble_->width = set.features.width;
    for (size_t member = 0; member < kMembers; member++)
        ensemble_->members.push_back(std::make_unique<Booster>(data, seed * kMembers + member));
}

CostModel::~CostModel() = default;

std::vector<std::vector<float>> CostModel::predict(const FeatureRows &rows) const {
    std::vector<std::vector<float>> predictions;
    if (rows.rows() == 0)
        return std::vector<std::vector<float>>(kMembers);
    if (rows.width != ensemble_->width)
        throw Error(ErrorCode::BadArgument, "cost model: rows have " + std::to_string(rows.width) +
                                                " features, trained on " + std::to_string(ensemble_->width));
    const Matrix data(rows);
    for (const auto &member : ensemble_->members)
        predictions.push_back(member->predict(data));
    return predictions;
}

} // namespace convsmith::autotune
