// Reader of CMSIS-NN-style cases: one layer in TensorFlow Lite's terms (NHWC, OHWI or 1HWO filters, output
// clamp).
#include "runtime/frontend/case_readers.h"

#include "generators/conv_shape.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

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

/// End padding that gives the declared output extents. Cells past the last window are not padding.
void derive_end_padding(ConvDesc &desc, const Spatial &out) {
    for (int a = 0; a < desc.rank; ++a) {
        const int64_t reach =
            int64_t{out[a] - 1} * desc.stride[a] + effective_kernel(desc.kernel[a], desc.dilation[a]);
        desc.pad_end[a] = static_cast<int>(std::max<int64_t>(reach - desc.in[a] - desc.pad_begin[a], 0));
    }
}

ConvDesc read_desc(const JsonField &params) {
    ConvDesc desc;
    desc.n = extent_of(params, "n");
    desc.ci = extent_of(params, "ic");
    desc.co = extent_of(params, "oc");
    desc.in = {extent_of(params, "ih"), extent_of(params, "iw"), 1};
    desc.kernel = pair_of(params, "k");
    desc.stride = pair_of(params, "stride");
    desc.dilation = pair_of(params, "dilation");
    desc.pad_begin = pair_of(params, "pad_begin");
    desc.groups = extent_of(params, "groups");
    derive_end_padding(desc, {extent_of(params, "oh"), extent_of(params, "ow"), 1});
    return desc;
}

std::string filter_order(const JsonField &root) {
    const std::string layout = root.at("weight_layout").text();
    if (layout == "OHWI") {
        return "ohwi";
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

} // namespace

void read_cmsis_case(const JsonField &root, ConformanceCase &target) {
    const std::string op = root.at("op").text();
    if (op != "conv2d" && op != "depthwise_conv2d") {
        target.skipped = "op " + op + ": not supported yet";
        return;
    }
    const std::string dtype = root.at("dtype").text();
    if (dtype != "f32") {
        target.skipped = "dtype " + dtype + ": not supported yet";
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
    const JsonField params = root.at("params");
    ConvDesc desc = read_desc(params);
    CaseTensors tensors;
    tensors.input = record_of(root, records, "input").load();
    const TensorRecord &weights = record_of(root, records, "weights");
    if (weights.shape.size() != 4) {
        weights.field.at("shape").fail(fmt::format("has {} dimensions, want 4", weights.shape.size()));
    }
    tensors.filter = to_oihw(weights.load(), filter_order(root));
    tensors.expected = outputs.begin()->second.load();
    if (records.count("bias") != 0) {
        desc.epilogue.push_back(epilogue_stage("bias"));
        tensors.bias = record_of(root, records, "bias").load();
    }
    desc.epilogue.push_back({"clamp", {params.at("act_min").number(), params.at("act_max").number()}});
    complete_case(root, desc, std::move(tensors), target);
}

} // namespace convsmith
