// See machine_code.h. The features of a class go into the module flag that Halide makes LLVM's target from.
#include "schedules/machine_code.h"

#include "generators/error.h"

#include <llvm/ADT/SmallVector.h>
#include <llvm/IR/Constants.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Metadata.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/raw_ostream.h>

#include <memory>

namespace convsmith {

namespace {

void add_features(llvm::Module &code, const std::string &features) {
    constexpr const char *kFlag = "halide_mattrs";
    const auto *const flag = llvm::dyn_cast_or_null<llvm::MDString>(code.getModuleFlag(kFlag));
    CONVSMITH_CHECK(flag != nullptr);
    std::string all = flag->getString().str();
    all += (all.empty() ? "" : ",") + features;
    code.setModuleFlag(llvm::Module::Warning, kFlag, llvm::MDString::get(code.getContext(), all));
}

/// Prefetches into L2 for reading: Halide's hint would keep it out of there.
void prefetch_to_l2(llvm::Module &code) {
    constexpr uint64_t kRead = 0, kL2 = 2;
    for (llvm::Function &function : code) {
        for (llvm::Instruction &instruction : llvm::instructions(function)) {
            auto *const prefetch = llvm::dyn_cast<llvm::IntrinsicInst>(&instruction);
            if (prefetch == nullptr || prefetch->getIntrinsicID() != llvm::Intrinsic::prefetch)
                continue;
            llvm::Type *const type = prefetch->getArgOperand(1)->getType();
            prefetch->setArgOperand(1, llvm::ConstantInt::get(type, kRead));
            prefetch->setArgOperand(2, llvm::ConstantInt::get(type, kL2));
        }
    }
}

} // namespace

std::string machine_code(const Halide::Module &module, const Target &target, MachineCode kind,
                         const std::function<void(llvm::Module &)> &change) {
    llvm::LLVMContext context;
    const std::unique_ptr<llvm::Module> code = Halide::compile_module_to_llvm_module(module, context);
    if (!target.llvm_features.empty())
        add_features(*code, target.llvm_features);
    prefetch_to_l2(*code);
    if (change)
        change(*code);
    llvm::SmallVector<char, 0> text;
    llvm::raw_svector_ostream stream(text);
    if (kind == MachineCode::Object)
        Halide::compile_llvm_module_to_object(*code, stream);
    else
        Halide::compile_llvm_module_to_assembly(*code, stream);
    return std::string(text.begin(), text.end());
}

} // namespace convsmith
