// The epilogue chain: element-wise stages applied to the accumulator before it is stored.
// The table itself is epilogues.inc (one row per stage); the Halide side of it is epilogue_expr.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace convsmith {

/// The second tensor a stage reads, if any. A chain holds at most one stage of each kind but None.
enum class Operand { None, Bias, Residual, Scale, Gate, Slope };

/// Which elements an operand has.
enum class OperandShape {
    PerChannel,      ///< [co]
    PerImageChannel, ///< [n][co]
    Full,            ///< the shape and layout of the output
};

/// One kind of second tensor.
struct OperandInfo {
    Operand operand;
    std::string name; ///< of the tensor in calls: "bias", "residual", ...
    OperandShape shape;
};

/// Every operand but None, in the order of a call.
const std::vector<OperandInfo> &operand_table();

/// The row of `operand`, which must not be None.
const OperandInfo &operand_info(Operand operand);

/// One stage: a row of the table and its numbers (as many as the row's parameters, in the row's order).
struct EpilogueStage {
    std::string name;
    std::vector<double> params;

    bool operator==(const EpilogueStage &o) const { return name == o.name && params == o.params; }
};

/// A row of epilogues.inc, without the formulas.
struct EpilogueInfo {
    std::string name;
    Operand operand;
    std::vector<std::string> param_names;
    std::vector<double> param_defaults;
    std::string formula; ///< the definition as text, with its source
};

/// All rows, in table order.
const std::vector<EpilogueInfo> &epilogue_table();

/// The row called `name`. Throws Error(BadArgument) listing the known names.
const EpilogueInfo &epilogue_info(std::string_view name);

/// A stage with its default parameters. Throws Error(BadArgument) for an unknown name.
EpilogueStage epilogue_stage(std::string_view name);

/// The stage's value in double for accumulator value `x` and second-tensor element `t` (0 if it has none).
double epilogue_reference(const EpilogueStage &stage, double x, double t);

/// Given |error of x| <= bound, an upper bound of the error of the stage's result computed in a type with
/// unit roundoff `u`: Lipschitz constant * bound + the stage's own rounding.
double epilogue_error_bound(const EpilogueStage &stage, double x, double t, double bound, double u);

} // namespace convsmith
