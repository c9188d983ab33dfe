// Data objects through LLVM (see data_object.h). Halide makes the empty module, which then has the triple and
// data layout of the target, and Halide compiles it, which knows LLVM's version.
#include "runtime/library/data_object.h"

#include "generators/error.h"
#include "generators/signature.h"
#include "runtime/frontend/file_io.h"
#include "schedules/lower.h"

#include <llvm/ADT/SmallVector.h>
#include <llvm/IR/Constants.h>
#include <llvm/IR/GlobalVariable.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/raw_ostream.h>

#include <cstdint>
#include <memory>

namespace convsmith::library {

void write_data_object(const DataSymbol &data, const Target &target, const std::string &path) {
    llvm::SmallVector<char, 0> object;
    try {
        llvm::LLVMContext context;
        const Halide::Module empty(data.symbol, kernel_target(target));
        const std::unique_ptr<llvm::Module> module = Halide::compile_module_to_llvm_module(empty, context);
        const llvm::ArrayRef<uint8_t> bytes(static_cast<const uint8_t *>(data.data), data.bytes);
        llvm::Constant *value = llvm::ConstantDataArray::get(context, bytes);
        auto *global =
            new llvm::GlobalVariable(*module, value->getType(), true, llvm::GlobalValue::ExternalLinkage,
                                     value, data.symbol); // owned by the module
        global->setAlignment(llvm::Align(kTensorAlignment));
        llvm::raw_svector_ostream stream(object);
        Halide::compile_llvm_module_to_object(*module, stream);
    } catch (const Halide::Error &e) {
        throw Error(ErrorCode::Compile, data.symbol + ": " + e.what());
    }
    write_file_atomically(path, std::string_view(object.data(), object.size()));
}

} // namespace convsmith::library
