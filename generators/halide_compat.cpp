// Halide version differences, one home (see halide_compat.h).
#include "generators/halide_compat.h"

#include "generators/error.h"

#include <cstdlib>
#include <mutex>

namespace convsmith {

void prepare_halide() {
    static std::once_flag once;
    std::call_once(once, [] {
        const std::string option = "-vectorize-slp=false";
        const char *set = std::getenv("HL_LLVM_ARGS");
        const std::string args = set ? std::string(set) : "";
        if (args.find("-vectorize-slp") == std::string::npos)
            setenv("HL_LLVM_ARGS", (args.empty() ? option : args + " " + option).c_str(), 1);
    });
}

std::string halide_version() {
    return CONVSMITH_HALIDE_VERSION;
}

std::string llvm_version() {
    return std::to_string(Halide::Internal::get_llvm_version() / 10) + "." +
           std::to_string(Halide::Internal::get_llvm_version() % 10);
}

Halide::Target without_llvm_loop_opt(Halide::Target target) {
#ifndef HALIDE_VERSION_MAJOR // Halide 14 has no version macro and runs the loop optimisations by default
    target.set_feature(Halide::Target::DisableLLVMLoopOpt);
#endif
    return target;
}

Halide::Expr load_where(const Halide::Expr &inside, const Halide::Expr &value,
                        const Halide::Expr &otherwise) {
    using Halide::Internal::Call;
    // Without the third argument, vectors become loads with a mask, whose other lanes are undefined.
    const Halide::Expr load =
        Call::make(value.type(), Call::if_then_else, {likely(inside), value}, Call::PureIntrinsic);
    return select(inside, likely(load), otherwise);
}

Halide::Type output_type(const Halide::Func &func) {
#ifdef HALIDE_VERSION_MAJOR
    return func.types()[0];
#else
    return func.output_types()[0];
#endif
}

Halide::Type halide_type(DType type) {
    const int bits = static_cast<int>(8 * dtype_bytes(type));
    switch (type) {
    case DType::F32:
    case DType::F64:
    case DType::F16:
        return Halide::Float(bits);
    case DType::BF16:
        return Halide::BFloat(bits);
    case DType::I8:
    case DType::I16:
    case DType::I32:
    case DType::I64:
        return Halide::Int(bits);
    case DType::U8:
    case DType::U16:
    case DType::U32:
    case DType::U64:
        return Halide::UInt(bits);
    case DType::Bool:
        return Halide::Bool();
    }
    throw Error(ErrorCode::Internal, "unknown element type");
}

} // namespace convsmith
