// Costs and receptive fields of stacks (see stack_info.h).
#include "runtime/stack_info.h"

#include "generators/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace convsmith {

namespace {

/// Larger fields are not searched for holes cell by cell.
constexpr int64_t kMaxFieldCells = int64_t{1} << 24;
constexpr size_t kMaxStackLayers = size_t{1} << 16;

int64_t saturated_sum(int64_t sum, int64_t value, int64_t times) {
    int64_t product = 0, total = 0;
    if (__builtin_mul_overflow(value, times, &product) || __builtin_add_overflow(sum, product, &total)) {
        return std::numeric_limits<int64_t>::max();
    }
    return total;
}

/// "64x56x56": channels, then extents, whatever the layout; "?" is open.
std::string signal_text(int channels, const Spatial &extents, int rank) {
    std::string text = std::to_string(channels);
    for (int axis = 0; axis < rank; ++axis) {
        text += "x" + (extents[axis] == 0 ? "?" : std::to_string(extents[axis]));
    }
    return text;
}

/// The windows of the layers, one stack per axis of the first layer.
class StackBuilder {
public:
    explicit StackBuilder(const ConvDesc &first) : rank_(first.rank), stacks_(first.rank) {}

    /// False if no field can be given; remarks() says why.
    bool add(const Layer &layer);

    /// The field with its axes if `has_field`, else with remarks only.
    StackField result(bool has_field) const;
    void remark(const std::string &text) { remarks_.push_back(text); }

private:
    bool repeat(const Layer &layer, const Spatial &kernel);
    void check_chain(const Layer &layer);
    bool is_fully_connected(const ConvDesc &desc) const;
    void keep_output(const ConvDesc &desc);

    int rank_;
    std::vector<std::vector<AxisWindow>> stacks_;
    std::vector<std::string> remarks_;
    bool is_chain_ = true;
    std::string previous_; ///< name of the layer before
    int channels_ = 0;     ///< that it gives
    Spatial extents_ = {};
    int out_rank_ = 0;
};

bool has_one_position(const ConvDesc &desc) {
    return spatial_product(desc.in, desc.rank) == 1 && spatial_product(desc.kernel, desc.rank) == 1;
}

/// A layer over the flattened output of the one before.
bool StackBuilder::is_fully_connected(const ConvDesc &desc) const {
    return !previous_.empty() && has_one_position(desc) &&
           desc.ci == int64_t{channels_} * spatial_product(extents_, out_rank_);
}

void StackBuilder::check_chain(const Layer &layer) {
    const ConvDesc &desc = layer.desc;
    if (previous_.empty() || is_fully_connected(desc)) {
        return;
    }
    bool fits = desc.ci == channels_ && desc.rank == out_rank_;
    for (int axis = 0; axis < desc.rank; ++axis) {
        fits = fits && (desc.in[axis] == extents_[axis] || desc.in[axis] == 0 || extents_[axis] == 0);
    }
    if (!fits) {
        is_chain_ = false;
        remark(fmt::format("no plain stack: layer '{}' takes {}, layer '{}' gives {}", layer.name,
                           signal_text(desc.ci, desc.in, desc.rank), previous_,
                           signal_text(channels_, extents_, out_rank_)));
    }
}

void StackBuilder::keep_output(const ConvDesc &desc) {
    channels_ = stored_channels(desc);
    extents_ = stored_extents(desc);
    out_rank_ = desc.rank;
}

bool StackBuilder::repeat(const Layer &layer, const Spatial &kernel) {
    const ConvDesc &desc = layer.desc;
    for (int axis = 0; axis < rank_; ++axis) {
        std::vector<AxisWindow> &stack = stacks_[axis];
        const AxisWindow window = {kernel[axis], desc.stride[axis], desc.dilation[axis]};
        if (window.kernel == 1 && window.stride == 1) {
            continue; // sees what the layer before sees
        }
        if (stack.size() + static_cast<size_t>(layer.multiplicity) > kMaxStackLayers) {
            remark(fmt::format("no receptive field: more than {} layers", kMaxStackLayers));
            return false;
        }
        stack.insert(stack.end(), layer.multiplicity, window);
        double cells = 1, stride = 1;
        for (const AxisWindow &w : stack) {
            cells += stride * (effective_kernel(w.kernel, w.dilation) - 1);
            stride *= w.stride;
        }
        if (cells > static_cast<double>(kMaxFieldCells)) {
            remark(fmt::format("no receptive field: layer '{}' brings it beyond {} cells", layer.name,
                               kMaxFieldCells));
            return false;
        }
    }
    return true;
}

bool StackBuilder::add(const Layer &layer) {
    const ConvDesc &desc = layer.desc;
    const auto none = [&](const std::string &why) {
        remark(fmt::format("no receptive field: layer '{}' {}", layer.name, why));
        return false;
    };
    const bool moves_in_space = desc.rearrange != Rearrange::None && desc.rearrange != Rearrange::Shuffle;
    if (desc.op == Op::Deconv || moves_in_space) {
        return none(moves_in_space ? "rearranges its output in space" : "is a transposed convolution");
    }
    if (desc.op == Op::Deform) {
        remark(fmt::format("layer '{}' moves its taps: counted as if all offsets were zero", layer.name));
    }
    check_chain(layer);
    Spatial kernel = desc.kernel;
    if (desc.rank != rank_) {
        if (!has_one_position(desc)) {
            return none(fmt::format("has {} spatial axes, the first layer {}", desc.rank, rank_));
        }
        kernel = {1, 1, 1};
    }
    if (is_fully_connected(desc)) {
        kernel = out_rank_ == rank_ ? extents_ : Spatial{1, 1, 1};
    }
    if (!repeat(layer, kernel)) {
        return false;
    }
    previous_ = layer.name;
    keep_output(desc);
    if (layer.multiplicity > 1) {
        check_chain(layer); // after itself
    }
    return true;
}

StackField StackBuilder::result(bool has_field) const {
    StackField field;
    field.is_chain = is_chain_;
    field.remarks = remarks_;
    for (size_t axis = 0; has_field && axis < stacks_.size(); ++axis) {
        field.axes.push_back(receptive_field(stacks_[axis]));
    }
    return field;
}

} // namespace

Costs costs_of(const ConvDesc &desc) {
    Costs costs;
    costs.parameters = parameter_count(desc);
    costs.macs = desc.is_open() ? std::nullopt : std::optional<int64_t>(mac_count(desc));
    costs.bytes = desc.is_open() ? std::nullopt : std::optional<int64_t>(byte_count(desc));
    return costs;
}

Costs costs_of(const std::vector<Layer> &layers) {
    Costs total;
    for (const Layer &layer : layers) {
        const Costs costs = costs_of(layer.desc);
        const auto add = [&](std::optional<int64_t> &sum, const std::optional<int64_t> &value) {
            sum = sum && value ? std::optional<int64_t>(saturated_sum(*sum, *value, layer.multiplicity))
                               : std::nullopt;
        };
        total.parameters = saturated_sum(total.parameters, costs.parameters, layer.multiplicity);
        add(total.macs, costs.macs);
        add(total.bytes, costs.bytes);
    }
    return total;
}

std::optional<double> operations_per_byte(const Costs &costs) {
    if (!costs.macs || !costs.bytes || *costs.bytes == 0) {
        return std::nullopt;
    }
    return 2 * static_cast<double>(*costs.macs) / static_cast<double>(*costs.bytes);
}

StackField stack_field(const std::vector<Layer> &layers) {
    if (layers.empty()) {
        return {{}, true, {"no receptive field: no layers"}};
    }
    StackBuilder builder(layers.front().desc);
    for (const Layer &layer : layers) {
        if (!builder.add(layer)) {
            return builder.result(false);
        }
    }
    return builder.result(true);
}

std::vector<std::pair<int64_t, int64_t>> unseen_ranges(const ReceptiveField &field) {
    std::vector<std::pair<int64_t, int64_t>> ranges;
    for (int64_t cell = 0; cell < field.extent; ++cell) {
        if (field.covered[cell]) {
            continue;
        }
        if (!ranges.empty() && ranges.back().second == cell - 1) {
            ranges.back().second = cell;
        } else {
            ranges.emplace_back(cell, cell);
        }
    }
    return ranges;
}

} // namespace convsmith
