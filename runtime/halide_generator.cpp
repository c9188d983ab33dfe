// Adaptor for projects built with Halide's own CMake: a Halide::Generator called "convsmith" whose pipeline
// is lower()'s, so that add_halide_library(... FROM convsmith::generator GENERATOR convsmith PARAMS desc=KEY)
// works. Linked into the program convsmith_generator, or into a generator executable of the user. See
// docs/aot.md.
#include "generators/error.h"
#include "generators/halide_compat.h"
#include "schedules/lower.h"

#include <Halide.h>

#include <charconv>
#include <sstream>
#include <string>
#include <vector>

namespace convsmith {

namespace {

/// The machine class of a Halide target: tokens that are no matter of the planner (no_runtime, ...) are left
/// out.
Target class_of(const Halide::Target &target) {
    std::istringstream tokens(target.to_string());
    std::string platform, token;
    for (int i = 0; i < 3 && std::getline(tokens, token, '-'); i++)
        platform += (i == 0 ? "" : "-") + token;
    std::string text = platform;
    while (std::getline(tokens, token, '-')) {
        try {
            (void)parse_target(platform + "-" + token);
            text += "-" + token;
        } catch (const Error &) {
            continue;
        }
    }
    return parse_target(text);
}

/// "tile_p:6,rows:4" as schedule parameters.
Params parse_params(const std::string &text) {
    Params params;
    std::istringstream items(text);
    std::string item;
    while (std::getline(items, item, ',')) {
        const size_t colon = item.find(':');
        const char *end = item.data() + item.size();
        int value = 0;
        if (colon == std::string::npos || colon == 0 ||
            std::from_chars(item.data() + colon + 1, end, value).ptr != end)
            throw Error(ErrorCode::BadArgument,
                        "params: got '" + item + "', want name:number such as tile_p:6");
        params[item.substr(0, colon)] = value;
    }
    return params;
}

} // namespace

/// Parameters: desc (a key), and optionally variant, schedule, params and co_block, which fix parts of the
/// plan as PlanRequest does; accuracy is exact unless said otherwise. Inputs and output are those of
/// buffer_dims (generators/signature.h); the filter is packed.
class ConvGenerator : public Halide::Generator<ConvGenerator> {
public:
    Halide::GeneratorParam<std::string> desc{"desc", ""};
    Halide::GeneratorParam<std::string> variant{"variant", ""};
    Halide::GeneratorParam<std::string> schedule_name{"schedule", ""};
    Halide::GeneratorParam<std::string> params{"params", ""};
    Halide::GeneratorParam<int> co_block{"co_block", 0};
    Halide::GeneratorParam<std::string> accuracy{"accuracy",
                                                 "exact"}; // users pack: transformed weights only on demand

    void configure() {
        try {
            const ConvDesc parsed = ConvDesc::parse(desc.value());
            if (parsed.indices != Indices::None)
                throw Error(ErrorCode::Unsupported,
                            "desc: Halide's generators make no pair of output buffers, "
                            "want a key without indices (convsmith build takes it)");
            PlanRequest request;
            request.variant = variant.value();
            request.schedule = schedule_name.value();
            request.params = parse_params(params.value());
            request.co_block = co_block;
            request.accuracy = parse_accuracy(accuracy.value());
            lowered_ = lower(parsed, make_plan(parsed, class_of(get_target()), request).plan);
        } catch (const Error &e) {
            throw Halide::CompileError(std::string("convsmith: ") + e.what());
        }
        // The pipeline reads buffers by name: inputs of the same names stand for them in the signature.
        for (const Halide::Argument &input : lowered_.inputs)
            add_input<Halide::Buffer<>>(input.name, input.type, input.dimensions);
        const Halide::Func output = lowered_.pipeline.outputs()[0];
        output_ = add_output<Halide::Buffer<>>("output", output_type(output), output.dimensions());
    }

    void generate() { *output_ = lowered_.pipeline.outputs()[0]; }

private:
    LoweredPipeline lowered_;
    Halide::GeneratorOutput<Halide::Buffer<>> *output_ = nullptr;
};

} // namespace convsmith

HALIDE_REGISTER_GENERATOR(convsmith::ConvGenerator, convsmith)
