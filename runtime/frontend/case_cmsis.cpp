// Reader of CMSIS-NN-style cases: one layer in TensorFlow Lite's terms (NHWC, OHWI or 1HWO filters, output
// clamp).
#include "runtime/frontend/case_readers.h"

#include "generators/conv_shape.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

namespace convsmith {

namespace {

std::map<std::string, TensorRecord> records_by_name(const JsonField &list) {
    std::map<std::string, TensorRecord> records;
    for (const JsonField &item : list.items()) {
        TensorRecord record(item);
        records.emplace(record.name, record);
    }
    return records;
}

int extent_of(const JsonField &params, const char *name) {
    return to_extent(params.at(name).integer(), params.at(name));
}

Spatial pair_of(const JsonField &params, const char *name) {
    return to_spatial(params.at(name).integers(), 2, params.at(name));
}

/// The ops of these cases by name; nothing for others.
std::optional<Op> read_op(const std::string &name) {
    static const std::map<std::string, Op> ops = {{"conv2d", Op::Conv},
                                                  {"depthwise_conv2d", Op::Conv},
                                                  {"conv_transpose2d", Op::Deconv},
                                                  {"maxpool2d", Op::MaxPool},
                                                  {"avgpool2d", Op::AvgPool}};
    const auto found = ops.find(name);
    return found == ops.end() ? std::nullopt : std::optional<Op>(found->second);
}

/// End padding that gives the declared output extents. Cells past the last window are not padding; outputs of
/// a transposed convolution past the last projection are output padding.
void derive_end_padding(ConvDesc &desc, const Spatial &out) {
    for (int a = 0; a < desc.rank; ++a) {
        const bool transposed = desc.op == Op::Deconv;
        const int64_t from = transposed ? desc.in[a] : out[a], to = transposed ? out[a] : desc.in[a];
        const int64_t reach =
            (from - 1) * desc.stride[a] + effective_kernel(desc.kernel[a], desc.dilation[a]);
        const int64_t missing = reach - to - desc.pad_begin[a];
        desc.pad_end[a] = static_cast<int>(std::max<int64_t>(missing, 0));
        desc.out_pad[a] = transposed ? static_cast<int>(std::max<int64_t>(-missing, 0)) : 0;
    }
}

/// Pools have one channel count, no dilation and no groups; their averages of integers are summed in i32.
void read_pool(const JsonField &params, DType type, ConvDesc &desc) {
    desc.ci = desc.co = extent_of(params, "c");
    desc.pad_mode = PadMode::Ignore;
    desc.in_type = desc.weight_type = desc.out_type = desc.acc_type = type;
    if (desc.op == Op::AvgPool && is_integer(type)) {
        desc.acc_type = DType::I32;
    }
}

ConvDesc read_desc(const JsonField &params, Op op, DType type) {
    ConvDesc desc;
    desc.op = op;
    desc.n = extent_of(params, "n");
    desc.in = {extent_of(params, "ih"), extent_of(params, "iw"), 1};
    desc.kernel = pair_of(params, "k");
    desc.stride = pair_of(params, "stride");
    desc.pad_begin = pair_of(params, "pad_begin");
    if (op_info(op).is_pool) {
        read_pool(params, type, desc);
    } else {
        desc.ci = extent_of(params, "ic");
        desc.co = extent_of(params, "oc");
        desc.dilation = pair_of(params, "dilation");
        desc.groups = extent_of(params, "groups");
    }
    derive_end_padding(desc, {extent_of(params, "oh"), extent_of(params, "ow"), 1});
    desc.epilogue.push_back({"clamp", {params.at("act_min").number(), params.at("act_max").number()}});
    return desc;
}

/// The letters of the file's filter dimensions, such that "oihw" is the order of filter_shape.
std::string filter_order(const JsonField &root, const ConvDesc &desc) {
    const std::string layout = root.at("weight_layout").text();
    if (layout == "OHWI") {
        return desc.op == Op::Deconv ? "ihwo" : "ohwi"; // transposed: input channels come first
    }
    if (layout == "1HWO") { // depthwise: one input channel per group
        return "ihwo";
    }
    root.at("weight_layout").fail("is '" + layout + "', want OHWI or 1HWO");
}

const TensorRecord &record_of(const JsonField &root, const std::map<std::string, TensorRecord> &records,
                              const char *name) {
    const auto found = records.find(name);
    if (found == records.end()) {
        root.at("inputs").fail(fmt::format("has no tensor '{}'", name));
    }
    return found->second;
}

/// The trained tensors of an op that has them; a bias comes before the clamp.
void read_weights(const JsonField &root, const std::map<std::string, TensorRecord> &records, ConvDesc &desc,
                  CaseTensors &tensors) {
    const TensorRecord &weights = record_of(root, records, "weights");
    if (weights.shape.size() != 4) {
        weights.field.at("shape").fail(fmt::format("has {} dimensions, want 4", weights.shape.size()));
    }
    tensors.filter = to_oihw(weights.load(), filter_order(root, desc));
    if (records.count("bias") != 0) {
        desc.epilogue.insert(desc.epilogue.begin(), epilogue_stage("bias"));
        tensors.bias = record_of(root, records, "bias").load();
    }
}

/// Why a case cannot be run; empty if it can.
std::string skip_reason(const std::string &op_name, const std::string &dtype) {
    const std::optional<Op> op = read_op(op_name);
    if (!op) {
        return "op " + op_name + ": not supported yet";
    }
    const std::optional<DType> type = parse_dtype(dtype);
    const bool is_quantised = op_info(*op).has_filter && type && unit_roundoff(*type) == 0;
    if (is_quantised) {
        return fmt::format("{} of {} with requantisation: not supported yet", op_name, dtype);
    }
    return !type || *type == DType::F16 || *type == DType::BF16 ? "dtype " + dtype + ": not supported yet"
                                                                : "";
}

} // namespace

void read_cmsis_case(const JsonField &root, ConformanceCase &target) {
    const std::string op_name = root.at("op").text();
    const std::string dtype = root.at("dtype").text();
    target.skipped = skip_reason(op_name, dtype);
    if (!target.skipped.empty()) {
        return;
    }
    const std::string layout = root.at("layout").text();
    if (layout != "NHWC") {
        root.at("layout").fail("is '" + layout + "', want NHWC");
    }
    const auto records = records_by_name(root.at("inputs"));
    const auto outputs = records_by_name(root.at("outputs"));
    if (outputs.size() != 1) {
        root.at("outputs").fail(fmt::format("has {} entries, want 1", outputs.size()));
    }
    ConvDesc desc = read_desc(root.at("params"), *read_op(op_name), *parse_dtype(dtype));
    if (desc.op == Op::Deconv && desc.groups != 1) {
        target.skipped = "conv_transpose2d in groups: not supported yet";
        return;
    }
    CaseTensors tensors;
    tensors.input = record_of(root, records, "input").load();
    tensors.expected = outputs.begin()->second.load();
    if (op_info(desc.op).has_filter) {
        read_weights(root, records, desc, tensors);
    }
    complete_case(root, desc, std::move(tensors), target);
}

} // namespace convsmith
