// Which op has which fields (see key_fields.h).
#include "generators/key_fields.h"

namespace convsmith {
namespace {

constexpr unsigned kFilterOps = bit(Op::Conv) | bit(Op::Deconv) | bit(Op::Deform);
constexpr unsigned kPools = bit(Op::MaxPool) | bit(Op::AvgPool) | bit(Op::LpPool);
constexpr unsigned kWindowOps = kFilterOps | kPools;
constexpr unsigned kPaddedOps = kWindowOps | bit(Op::Identity);
constexpr unsigned kEveryOp = ~0u;

} // namespace

const std::vector<NumberField> &number_fields() {
    using D = ConvDesc;
    static const std::vector<NumberField> fields = {
        {"n", kEveryOp, false, &D::n, nullptr, nullptr},
        {"ci", kEveryOp, true, &D::ci, nullptr, nullptr},
        {"i", kEveryOp, true, nullptr, &D::in, nullptr},
        {"co", kFilterOps, true, &D::co, nullptr, nullptr},
        {"k", kWindowOps, true, nullptr, &D::kernel, nullptr},
        {"s", kWindowOps, false, nullptr, &D::stride, nullptr},
        {"p", kPaddedOps, false, nullptr, &D::pad_begin, &D::pad_end},
        {"d", kWindowOps, false, nullptr, &D::dilation, nullptr},
        {"o", bit(Op::Deconv), false, nullptr, &D::out_pad, nullptr},
        {"g", kFilterOps, false, &D::groups, nullptr, nullptr},
        {"og", bit(Op::Deform), false, &D::offset_groups, nullptr, nullptr},
        {"l", bit(Op::LpPool), false, &D::norm, nullptr, nullptr},
    };
    return fields;
}

bool is_shared(const NumberField &field) {
    return field.name == "n" || field.name == "ci" || field.name == "i";
}

} // namespace convsmith
