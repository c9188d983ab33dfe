// The double side of the epilogue table (epilogues.inc): rows, reference values and error bounds for the
// oracle. The Halide side is epilogue_expr.cpp.
#include "generators/epilogue.h"

#include "generators/error.h"

#include <cmath>

namespace convsmith {
namespace {

struct EpilogueRow {
    EpilogueInfo info;
    double (*lipschitz)(double t, const double *p);
    double (*rounding)(const double *p);
    double (*reference)(double x, double t, const double *p);
};

const std::vector<EpilogueRow> &rows() {
#define CONVSMITH_LIST(...)                                                                                  \
    { __VA_ARGS__ }
#define CONVSMITH_EPILOGUE(name_, operand_, params_, defaults_, lipschitz_, rounding_, expression_,          \
                           reference_, formula_)                                                             \
    {{#name_, Operand::operand_, CONVSMITH_LIST params_, CONVSMITH_LIST defaults_, formula_},                \
     []([[maybe_unused]] double t, [[maybe_unused]] const double *p) -> double { return lipschitz_; },       \
     []([[maybe_unused]] const double *p) -> double { return rounding_; },                                   \
     []([[maybe_unused]] double x, [[maybe_unused]] double t, [[maybe_unused]] const double *p) -> double {  \
         return reference_;                                                                                  \
     }},
    static const std::vector<EpilogueRow> table = {
#include "generators/epilogues.inc"
    };
#undef CONVSMITH_EPILOGUE
#undef CONVSMITH_LIST
    return table;
}

const EpilogueRow &row(std::string_view name) {
    for (const EpilogueRow &r : rows()) {
        if (r.info.name == name)
            return r;
    }
    std::string known;
    for (const EpilogueRow &r : rows())
        known += (known.empty() ? "" : ", ") + r.info.name;
    throw Error(ErrorCode::BadArgument,
                "epilogue: no stage is called '" + std::string(name) + "', want one of: " + known);
}

} // namespace

const std::vector<EpilogueInfo> &epilogue_table() {
    static const std::vector<EpilogueInfo> infos = [] {
        std::vector<EpilogueInfo> table;
        for (const EpilogueRow &r : rows())
            table.push_back(r.info);
        return table;
    }();
    return infos;
}

const std::vector<OperandInfo> &operand_table() {
    static const std::vector<OperandInfo> table = {
        {Operand::Bias, "bias", OperandShape::PerChannel},
        {Operand::Residual, "residual", OperandShape::Full},
        {Operand::Scale, "scale", OperandShape::PerChannel},
        {Operand::Gate, "gate", OperandShape::PerImageChannel},
        {Operand::Slope, "slope", OperandShape::PerChannel},
    };
    return table;
}

const OperandInfo &operand_info(Operand operand) {
    CONVSMITH_CHECK(operand != Operand::None);
    return operand_table().at(static_cast<size_t>(operand) - 1);
}

const EpilogueInfo &epilogue_info(std::string_view name) {
    return row(name).info;
}

EpilogueStage epilogue_stage(std::string_view name) {
    const EpilogueInfo &info = epilogue_info(name);
    return {info.name, info.param_defaults};
}

double epilogue_reference(const EpilogueStage &stage, double x, double t) {
    return row(stage.name).reference(x, t, stage.params.data());
}

double epilogue_error_bound(const EpilogueStage &stage, double x, double t, double bound, double u) {
    const EpilogueRow &r = row(stage.name);
    const double *p = stage.params.data();
    const double carried = r.lipschitz(t, p) * bound;
    // The stage rounds at the inexact argument and result, which may be larger than the exact ones.
    const double magnitude =
        std::fabs(x) + bound + std::fabs(t) + std::fabs(r.reference(x, t, p)) + carried + 1;
    return carried + r.rounding(p) * u * magnitude;
}

} // namespace convsmith
