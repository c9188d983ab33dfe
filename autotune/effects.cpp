// See effects.h.
#include "autotune/effects.h"

#include "autotune/gpu_model.h"
#include "generators/composite.h"
#include "generators/conv_shape.h"
#include "generators/variant.h"
#include "schedules/cpu/winograd_choice.h"

#include <algorithm>
#include <cmath>

namespace convsmith::autotune {

namespace {

double waste(int64_t work, int64_t tile) {
    const int64_t computed = (work + tile - 1) / tile * tile;
    return static_cast<double>(computed) / static_cast<double>(std::max<int64_t>(1, work));
}

/// A plan's register tile: accumulators = vectors x along x across.
struct RegisterTile {
    int vectors, along, across;
    bool is_window; ///< slides over each channel apart
    bool lanes_are_positions;

    int accumulators() const { return vectors * along * across; }
};

RegisterTile tile_of(const ConvDesc &desc, const Plan &plan) {
    RegisterTile tile{};
    tile.lanes_are_positions = plan.params.count("x_vectors") != 0;
    tile.vectors = number_of(plan, tile.lanes_are_positions ? "x_vectors" : "co_vectors");
    tile.along = std::max({number_of(plan, "tile_p"), number_of(plan, "tile_t"), number_of(plan, "tile_x")});
    tile.across = number_of(plan, "tile_y");
    tile.is_window = tile.lanes_are_positions || is_channelwise(desc);
    return tile;
}

/// Loads of a multiply-add of a tile that slides: inputs that the tile spans, over the taps of its outputs.
double window_loads(const ConvDesc &desc, const RegisterTile &tile) {
    const int x = desc.rank - 1;
    const auto span = [&](int axis, int outputs) {
        return (outputs - 1.0) * desc.stride[axis] + effective_kernel(desc.kernel[axis], desc.dilation[axis]);
    };
    const double inputs = span(x, tile.along) * (desc.rank > 1 ? span(0, tile.across) : 1);
    const double taps = desc.kernel[x] * (desc.rank > 1 ? desc.kernel[0] : 1.0);
    return inputs / (taps * tile.along * tile.across);
}

/// Cycles of a multiply-add: 2 of them and 2 loads a cycle, results after 4 cycles, and a loop overhead of
/// about 2 instructions in 8 a step.
double cycles_per_fma(const ConvDesc &desc, const Plan &plan, const RegisterTile &tile) {
    constexpr double kLatency = 4.0;
    const double fmas = tile.accumulators();
    if (tile.is_window)
        return std::max({0.5, window_loads(desc, tile) / 2, kLatency / fmas});
    const double loads = tile.vectors + tile.along * tile.across;
    return std::max({fmas / 2, loads / 2, kLatency}) / fmas + 0.25 / (fmas * number_of(plan, "unroll_ci"));
}

/// Positions that the tile divides, along and across.
double position_waste(const ConvDesc &desc, const Plan &plan, const RegisterTile &tile) {
    const Spatial out = out_extents(desc);
    const int lanes = vector_lanes(plan.target, desc.acc_type);
    if (tile.is_window) {
        const int64_t along = int64_t{tile.along} * (tile.lanes_are_positions ? tile.vectors * lanes : 1);
        return waste(out[desc.rank - 1], along) * (desc.rank > 1 ? waste(out[0], tile.across) : 1);
    }
    const ConvDesc merged = merge_trivial_axes(desc);
    const Spatial extents = out_extents(merged);
    const int64_t all = spatial_product(extents, merged.rank);
    const int64_t row = all / std::max(1, extents[0]);
    if (plan.variant == "winograd") {
        const cpu::WinogradTiles tiles = cpu::winograd_tiles(merged, number_of(plan, "tile", 2));
        return waste(int64_t{tiles.row_tiles} * std::min(tiles.rows, number_of(plan, "rows")), tile.along);
    }
    const int64_t chunk = number_of(plan, "chunk", 0);
    const int64_t block = chunk > 0 ? chunk : row * std::min(extents[0], number_of(plan, "rows", extents[0]));
    return waste(std::max<int64_t>(1, block), tile.along);
}

double channel_waste(const ConvDesc &desc, const Plan &plan, const RegisterTile &tile) {
    const int lanes = vector_lanes(plan.target, desc.acc_type);
    return tile.lanes_are_positions ? 1 : waste(desc.co, int64_t{tile.vectors} * lanes);
}

bool has_tiles(const ConvDesc &desc, const Plan &plan) {
    return plan.schedule != "generic" && !is_composite(desc);
}

/// Bytes of the weights that one block of channels reads.
double panel_bytes(const ConvDesc &desc, const Plan &plan, const RegisterTile &tile) {
    const double taps =
        plan.variant == "winograd" ? 1 : static_cast<double>(spatial_product(desc.kernel, desc.rank));
    const double ci = is_channelwise(desc) ? 1 : static_cast<double>(desc.ci) / desc.groups;
    return taps * ci * tile.vectors * plan.target.vector_bytes;
}

/// Bytes of input that one block of positions reads.
double block_bytes(const ConvDesc &desc, const Plan &plan) {
    const ConvDesc merged = merge_trivial_axes(desc);
    const double position_bytes =
        static_cast<double>(desc.ci) * static_cast<double>(dtype_bytes(desc.in_type));
    if (plan.variant == "winograd") {
        const cpu::WinogradTiles tiles = cpu::winograd_tiles(merged, number_of(plan, "tile", 2));
        return position_bytes * tiles.elements * tiles.row_tiles * number_of(plan, "rows");
    }
    const double row =
        static_cast<double>(spatial_product(merged.in, merged.rank)) / std::max(1, merged.in[0]);
    return position_bytes * row * number_of(plan, "rows", merged.in[0]) * merged.stride[0];
}

/// How many times a number was doubled beyond what the schedule derives, and halved.
struct Steps {
    double up = 0, down = 0;

    void add(int mine, int derived) {
        if (mine < 1 || derived < 1)
            return;
        const double doublings = std::log2(static_cast<double>(mine) / derived);
        (doublings > 0 ? up : down) += std::fabs(doublings);
    }
};

void set(Effects &effects, Effect effect, double value) {
    effects[static_cast<size_t>(effect)] = value;
}

void set_tile_effects(Effects &effects, const ConvDesc &desc, const Plan &plan) {
    const RegisterTile tile = tile_of(desc, plan);
    set(effects, Effect::TileCycles, std::log(cycles_per_fma(desc, plan, tile)));
    const int operands = std::min(tile.vectors, tile.along * tile.across) + 1;
    set(effects, Effect::FullRegisters,
        !tile.is_window && tile.accumulators() + operands >= plan.target.vector_registers ? 1 : 0);
    set(effects, Effect::WastePositions, std::log(position_waste(desc, plan, tile)));
    set(effects, Effect::WasteChannels, std::log(channel_waste(desc, plan, tile)));
    set(effects, Effect::PanelOverL1,
        std::max(0.0, std::log2(panel_bytes(desc, plan, tile) / plan.target.l1_bytes)));
    set(effects, Effect::BlockOverL2,
        std::max(0.0, std::log2(block_bytes(desc, plan) / plan.target.l2_bytes)));
}

/// A log2 that 0, which stands for "open" and "none", does not trouble.
float log2_of(double value) {
    return static_cast<float>(std::log2(std::max(1.0, value)));
}

/// The numbers of all schedules, each in a place of its own among the features.
const std::vector<std::string> &plan_numbers() {
    static const std::vector<std::string> kNames = [] {
        std::vector<std::string> names;
        for (const ScheduleInfo &schedule : schedule_table()) {
            for (const ParamSpec &spec : schedule.params) {
                if (std::find(names.begin(), names.end(), spec.name) == names.end())
                    names.push_back(spec.name);
            }
        }
        return names;
    }();
    return kNames;
}

} // namespace

const std::vector<EffectInfo> &effect_table() {
    static const std::vector<EffectInfo> kTable = {
#define CONVSMITH_EFFECT(name_, weight_, doc_) {#name_, weight_, doc_},
#include "autotune/effects.inc"
#undef CONVSMITH_EFFECT
    };
    return kTable;
}

double weighted_sum(const Effects &effects) {
    double sum = 0;
    for (size_t i = 0; i < effects.size(); i++)
        sum += effects[i] * effect_table()[i].weight;
    return sum;
}

const std::vector<std::string> &tile_numbers() {
    static const std::vector<std::string> kNames = {"co_vectors", "x_vectors", "tile_p", "tile_t",
                                                    "tile_x",     "tile_y",    "tile"};
    return kNames;
}

int number_of(const Plan &plan, const char *name, int otherwise) {
    const auto found = plan.params.find(name);
    return found != plan.params.end() && found->second > 0 ? found->second : otherwise;
}

std::vector<float> shape_features(const ConvDesc &desc) {
    const ConvDesc merged = merge_trivial_axes(desc);
    const Spatial out = out_extents(merged);
    const double taps = static_cast<double>(spatial_product(desc.kernel, desc.rank));
    return {log2_of(static_cast<double>(desc.ci) / desc.groups),
            log2_of(static_cast<double>(desc.co) / desc.groups),
            log2_of(desc.groups),
            log2_of(static_cast<double>(spatial_product(out, merged.rank))),
            log2_of(out[merged.rank - 1]),
            log2_of(taps),
            log2_of(desc.stride[desc.rank - 1]),
            log2_of(desc.dilation[desc.rank - 1]),
            log2_of(desc.n),
            static_cast<float>(ops_of(desc).size() - 1)};
}

size_t feature_count() {
    return effect_table().size() + plan_numbers().size() + shape_features(ConvDesc()).size() + 3;
}

PlanAnalysis::PlanAnalysis(const ConvDesc &desc, const Target &target)
    : desc_(kernel_problem(desc)), target_(target), shape_(shape_features(desc)) {}

const Plan &PlanAnalysis::derived(const Plan &plan) {
    const std::string pair = plan.variant + "/" + plan.schedule;
    const auto found = derived_.find(pair);
    if (found != derived_.end())
        return found->second;
    PlanRequest request;
    request.variant = plan.variant;
    request.schedule = plan.schedule;
    return derived_.emplace(pair, make_plan(desc_, target_, request).plan).first->second;
}

double tile_waste(const ConvDesc &of, const Plan &plan) {
    const ConvDesc desc = kernel_problem(of);
    if (!has_tiles(desc, plan))
        return 1;
    const RegisterTile tile = tile_of(desc, plan);
    return position_waste(desc, plan, tile) * channel_waste(desc, plan, tile);
}

Effects PlanAnalysis::effects(const Plan &plan) {
    Effects effects = {};
    if (is_gpu(plan.target)) { // a model of its own; its cycles are comparable between all plans
        set(effects, Effect::TileCycles, std::log(estimated_gpu_cycles(desc_, plan, gpu::planned_device())));
        return effects;
    }
    if (plan.schedule == "generic")
        set(effects, Effect::Generic, 1);
    else if (has_tiles(desc_, plan))
        set_tile_effects(effects, desc_, plan);
    if (plan.variant == "winograd") {
        constexpr double kTransforms = 1.2;
        const double gain = cpu::winograd_gain(desc_, number_of(plan, "tile", 2));
        set(effects, Effect::Winograd, std::log(kTransforms / std::max(0.1, gain)));
    }
    Steps rows, unroll, kept;
    for (const auto &[name, value] : plan.params) {
        Steps &steps = name == "rows" ? rows : name == "unroll_ci" ? unroll : kept;
        if (std::find(tile_numbers().begin(), tile_numbers().end(), name) == tile_numbers().end())
            steps.add(value, number_of(derived(plan), name.c_str(), 0));
    }
    set(effects, Effect::MoreRows, rows.up);
    set(effects, Effect::FewerRows, rows.down);
    set(effects, Effect::MoreUnrolled, unroll.up);
    set(effects, Effect::LessUnrolled, unroll.down);
    set(effects, Effect::MoreKept, kept.up);
    set(effects, Effect::LessKept, kept.down);
    return effects;
}

std::vector<float> PlanAnalysis::features(const Plan &plan) {
    std::vector<float> all = shape_;
    for (const double effect : effects(plan))
        all.push_back(static_cast<float>(effect));
    for (const std::string &name : plan_numbers())
        all.push_back(log2_of(number_of(plan, name.c_str(), 0)));
    const auto &variants = variant_table();
    const auto variant = std::find_if(variants.begin(), variants.end(),
                                      [&](const VariantInfo &row) { return row.name == plan.variant; });
    all.push_back(static_cast<float>(variant - variants.begin()));
    const RegisterTile tile = tile_of(desc_, plan);
    all.push_back(static_cast<float>(tile.accumulators()));
    all.push_back(log2_of(panel_bytes(desc_, plan, tile)));
    return all;
}

} // namespace convsmith::autotune
