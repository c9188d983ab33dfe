// See runtime_object.h. The pool's C code was compiled to LLVM's when the project was built; here it joins
// the runtime's module and is translated for the runtime's platform.
#include "runtime/library/runtime_object.h"

#include "generators/error.h"
#include "runtime/workspace_pool_code.h"
#include "schedules/machine_code.h"

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/IRReader/IRReader.h>
#include <llvm/Linker/Linker.h>
#include <llvm/Support/MemoryBuffer.h>
#include <llvm/Support/SourceMgr.h>

#include <memory>

namespace convsmith::library {

namespace {

/// The pool's code without what is particular to the platform that it was compiled on; weak, as the runtime.
std::unique_ptr<llvm::Module> pool_for(const llvm::Module &runtime) {
    llvm::SMDiagnostic error;
    std::unique_ptr<llvm::Module> pool = llvm::parseIR(
        llvm::MemoryBufferRef(kWorkspacePoolCode, "workspace_pool"), error, runtime.getContext());
    if (!pool)
        throw Error(ErrorCode::Internal, "workspace pool: " + error.getMessage().str());
    pool->setTargetTriple(runtime.getTargetTriple());
    pool->setDataLayout(runtime.getDataLayout());
    if (llvm::NamedMDNode *const flags = pool->getModuleFlagsMetadata())
        flags->eraseFromParent();
    for (llvm::Function &function : *pool) {
        function.setAttributes({});
        if (!function.isDeclaration() && !function.hasLocalLinkage())
            function.setLinkage(llvm::GlobalValue::WeakAnyLinkage);
    }
    return pool;
}

/// Makes `name` a call of `target`, which takes the same arguments.
void forward(llvm::Module &code, const std::string &name, const std::string &target) {
    llvm::Function *const function = code.getFunction(name);
    llvm::Function *const callee = code.getFunction(target);
    CONVSMITH_CHECK(function != nullptr && callee != nullptr);
    function->deleteBody(); // leaves a declaration
    function->setLinkage(llvm::GlobalValue::WeakAnyLinkage);
    llvm::IRBuilder<> builder(llvm::BasicBlock::Create(code.getContext(), "entry", function));
    std::vector<llvm::Value *> arguments;
    for (llvm::Argument &argument : function->args())
        arguments.push_back(&argument);
    llvm::Value *const result = builder.CreateCall(callee->getFunctionType(), callee, arguments);
    if (function->getReturnType()->isVoidTy())
        builder.CreateRetVoid();
    else
        builder.CreateRet(result);
}

void keep_workspace(llvm::Module &runtime) {
    if (llvm::Linker::linkModules(runtime, pool_for(runtime)))
        throw Error(ErrorCode::Internal, "workspace pool: LLVM cannot link it with the Halide runtime");
    forward(runtime, "halide_default_malloc", "convsmith_workspace_malloc");
    forward(runtime, "halide_default_free", "convsmith_workspace_free");
}

} // namespace

std::string library_runtime_object(const std::string &platform, bool has_cuda) {
    Halide::Target target(platform);
    if (has_cuda)
        target.set_feature(Halide::Target::CUDA);
    return machine_code(Halide::Module("halide_runtime", target), Target(), MachineCode::Object,
                        keep_workspace);
}

} // namespace convsmith::library
