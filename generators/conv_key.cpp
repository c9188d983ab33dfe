// The canonical key of a ConvDesc and its inverse. Grammar: the op's name, then fields (a name and numbers, a
// word, types, a layout or a padding mode), then epilogue stages, all joined by '_'; a token 'v...' is a
// number of the stage or padding mode before it. Composites: OP then OP ..., or HEAD of BRANCH and BRANCH ...
// next OP ..., a branch being OP then OP .... Beside it: conv_desc.cpp, whose validate() judges what was
// read.
#include "generators/composite.h"
#include "generators/error.h"
#include "generators/key_fields.h"
#include "generators/key_reader.h"

#include <fmt/format.h>

namespace convsmith {
namespace {

std::string signed_token(int value) {
    return value < 0 ? "m" + std::to_string(-int64_t{value}) : std::to_string(value);
}

std::string joined(const Spatial &numbers, int rank) {
    std::string text;
    for (int a = 0; a < rank; a++)
        text += (a > 0 ? "x" : "") + signed_token(numbers[a]);
    return text;
}

/// The words of a descriptor, each with '_' before it.
std::string words(const ConvDesc &d) {
    std::string text;
    if (d.masked)
        text += "_mask";
    for (const auto &row : kIndices)
        text += d.indices == row.indices ? std::string("_") + row.name : "";
    if (d.ceil_mode)
        text += "_ceil";
    for (const auto &row : kRearranges)
        text += d.rearrange == row.rearrange ? fmt::format("_{}{}", row.name, d.rearrange_factor) : "";
    if (d.co_total != 0)
        text += fmt::format("_into{}x{}", d.co_total, d.co_begin);
    return text;
}

std::string types_token(const ConvDesc &d) {
    const std::string &in = dtype_name(d.in_type);
    if (d.weight_type == d.in_type && d.acc_type == d.in_type && d.out_type == d.in_type)
        return in;
    return fmt::format("{}x{}x{}x{}", in, dtype_name(d.weight_type), dtype_name(d.acc_type),
                       dtype_name(d.out_type));
}

std::string layout_token(const ConvDesc &d) {
    const std::string in = layout_name(d.in_layout, d.rank);
    return d.in_layout == d.out_layout ? in : in + "2" + layout_name(d.out_layout, d.rank);
}

/// One op without what a composite's later ops leave out.
std::string op_key(const ConvDesc &d, bool is_first) {
    std::string key = op_info(d.op).name;
    for (const NumberField &field : number_fields()) {
        if ((field.ops & bit(d.op)) == 0 || (!is_first && is_shared(field)))
            continue;
        key += "_" + field.name;
        if (field.scalar != nullptr)
            key += std::to_string(d.*field.scalar);
        else
            key += joined(d.*field.axes, d.rank);
        if (field.axes_end != nullptr)
            key += "x" + joined(d.*field.axes_end, d.rank);
    }
    key += words(d);
    if (is_first)
        key += "_" + types_token(d) + "_" + layout_token(d);
    key += "_" + pad_mode_name(d.pad_mode);
    if (d.pad_mode == PadMode::Constant)
        key += "_v" + number_token(d.pad_value);
    for (const EpilogueStage &stage : d.epilogue) {
        key += "_" + stage.name;
        for (const double param : stage.params)
            key += "_v" + number_token(param);
    }
    return key;
}

/// An op and what follows it.
std::string chain_key(const ConvDesc &desc, bool is_first) {
    std::string key = op_key(desc, is_first);
    const char *joint = "_of_";
    for (const ConvDesc &branch : desc.branches) {
        key += joint + chain_key(branch, false);
        joint = "_and_";
    }
    for (const ConvDesc &next : desc.then)
        key += (desc.branches.empty() ? "_then_" : "_next_") + op_key(next, false);
    return key;
}

} // namespace

std::string ConvDesc::key() const {
    return chain_key(*this, true);
}

ConvDesc ConvDesc::parse(std::string_view key) {
    ConvDesc desc = read_key(key);
    try {
        link_ops(desc);
        desc.validate();
    } catch (const Error &e) {
        throw Error(e.code(), fmt::format("key {}: {}", quoted(key), e.what()));
    }
    return desc;
}

} // namespace convsmith
