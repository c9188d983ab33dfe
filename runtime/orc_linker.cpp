// Linking with LLVM ORC (see orc_linker.h). Every kernel has a JITDylib of its own, so that it can be
// unloaded alone; all see the JITDylib of the one Halide runtime, which sees the symbols of the process
// (libc, pthread).
#include "runtime/orc_linker.h"

#include "generators/halide_compat.h"
#include "runtime/device_call.h"
#include "runtime/kernel.h"
#include "runtime/thread_pool.h"
#include "runtime/workspace_pool.h"
#include "schedules/machine_code.h"

#include <llvm/Config/llvm-config.h>
#include <llvm/ExecutionEngine/Orc/ExecutionUtils.h>
#include <llvm/ExecutionEngine/Orc/LLJIT.h>
#include <llvm/IR/Constants.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/MemoryBuffer.h>
#include <llvm/Support/TargetSelect.h>

#include <Halide.h>
#include <mutex>

#ifdef __SANITIZE_THREAD__
/// The Halide runtime hands over the mutexes of its waiting threads by atomics in uninstrumented code, so
/// that ThreadSanitizer sees their initialisation race with their first lock. No mutex of ours is made at run
/// time.
extern "C" __attribute__((weak)) const char *__tsan_default_suppressions() {
    return "race:pthread_mutex_init\n";
}
#endif

#ifdef __SANITIZE_ADDRESS__
/// Halide's expressions count references, and a buffer whose stride depends on its own extent refers to
/// itself.
extern "C" __attribute__((weak)) const char *__lsan_default_suppressions() {
    return "leak:libHalide\n";
}
#endif

namespace convsmith {

namespace {

[[noreturn]] void link_error(llvm::Error error) {
    throw Error(ErrorCode::Compile, "linking a kernel: " + llvm::toString(std::move(error)));
}

void check(llvm::Error error) {
    if (error)
        link_error(std::move(error));
}

template<typename T>
T check(llvm::Expected<T> result) {
    if (!result)
        link_error(result.takeError());
    return std::move(*result);
}

/// What a kernel last reported on this thread, for LinkedKernel::call.
std::string &reported_error() {
    thread_local std::string message;
    return message;
}

void record_error(void *, const char *message) {
    reported_error() = message ? message : "";
}

void discard_print(void *, const char *) {}

/// The function that the runtime's object has in place of its static constructors.
constexpr const char *kConstructRuntime = "convsmith_construct_halide_runtime";

/// Makes kConstructRuntime of a module's static constructors: ORC runs none of an object file's.
void expose_constructors(llvm::Module &code) {
    llvm::LLVMContext &context = code.getContext();
    auto *const type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), false);
    auto *const construct =
        llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, kConstructRuntime, code);
    llvm::IRBuilder<> builder(llvm::BasicBlock::Create(context, "entry", construct));
    if (llvm::GlobalVariable *const list = code.getGlobalVariable("llvm.global_ctors")) {
        // An array of {priority, function, what it constructs}.
        for (const llvm::Use &entry : llvm::cast<llvm::ConstantArray>(list->getInitializer())->operands())
            builder.CreateCall(type, llvm::cast<llvm::ConstantStruct>(entry)->getOperand(1));
        list->eraseFromParent();
    }
    builder.CreateRetVoid();
}

/// The process's LLJIT with the Halide runtime in it. Never destroyed: the runtime's worker threads and
/// kernels with static lifetime use its code until the process ends.
class Linker {
public:
    static Linker &instance() {
        static Linker &linker = *new Linker;
        return linker;
    }

    struct Linked {
        llvm::orc::JITDylib *dylib;
        LinkedKernel::Entry entry;
    };

    Linked link(const std::string &object, const std::string &symbol,
                const std::function<std::string()> &runtime_object);
    void unlink(llvm::orc::JITDylib &dylib);
    void *runtime_function(const std::string &name);

private:
    void load_runtime(const std::string &object);
    llvm::orc::JITDylib &new_dylib(const std::string &name);
    void add_object(llvm::orc::JITDylib &dylib, const std::string &object);
    void define(llvm::orc::JITDylib &dylib, const std::vector<std::pair<const char *, void *>> &functions);
    template<typename Function>
    Function lookup(llvm::orc::JITDylib &dylib, const std::string &symbol);

    std::mutex mutex_; ///< guards all below; linking takes milliseconds
    std::unique_ptr<llvm::orc::LLJIT> jit_;
    llvm::orc::JITDylib *runtime_ = nullptr;
    int64_t linked_ = 0; ///< makes JITDylib names unique
};

/// Bare: LLJIT's own dylibs may see the process first, and a Halide runtime linked into the host program with
/// it.
llvm::orc::JITDylib &Linker::new_dylib(const std::string &name) {
    return jit_->getExecutionSession().createBareJITDylib(name + "_" + std::to_string(linked_++));
}

void Linker::add_object(llvm::orc::JITDylib &dylib, const std::string &object) {
    check(jit_->addObjectFile(dylib, llvm::MemoryBuffer::getMemBufferCopy(object, "kernel")));
}

void Linker::define(llvm::orc::JITDylib &dylib,
                    const std::vector<std::pair<const char *, void *>> &functions) {
    llvm::orc::SymbolMap symbols;
    for (const auto &[name, function] : functions) {
        const auto flags = llvm::JITSymbolFlags::Exported | llvm::JITSymbolFlags::Callable;
#if LLVM_VERSION_MAJOR >= 17
        symbols[jit_->mangleAndIntern(name)] = {llvm::orc::ExecutorAddr::fromPtr(function), flags};
#else
        symbols[jit_->mangleAndIntern(name)] = {llvm::pointerToJITTargetAddress(function), flags};
#endif
    }
    check(dylib.define(llvm::orc::absoluteSymbols(std::move(symbols))));
}

template<typename Function>
Function Linker::lookup(llvm::orc::JITDylib &dylib, const std::string &symbol) {
    const auto address = check(jit_->lookup(dylib, symbol));
#if LLVM_VERSION_MAJOR >= 15
    return address.template toPtr<Function>();
#else
    return reinterpret_cast<Function>(static_cast<uintptr_t>(address.getAddress()));
#endif
}

void Linker::load_runtime(const std::string &object) {
    if (!jit_) {
        llvm::InitializeNativeTarget();
        llvm::InitializeNativeTargetAsmPrinter();
        jit_ = check(llvm::orc::LLJITBuilder().create());
    }
    const char prefix = jit_->getDataLayout().getGlobalPrefix();
    auto process = check(llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(prefix));
    llvm::orc::JITDylib &dylib = new_dylib("halide_runtime");
    dylib.addGenerator(std::move(process));
    define(dylib, device_overrides()); // before the runtime's own, which are weak
    add_object(dylib, object);
    using SetErrorHandler = halide_error_handler_t (*)(halide_error_handler_t);
    using SetPrint = halide_print_t (*)(halide_print_t);
    lookup<SetErrorHandler>(dylib, "halide_set_error_handler")(record_error);
    lookup<SetPrint>(dylib, "halide_set_custom_print")(discard_print);
    lookup<halide_malloc_t (*)(halide_malloc_t)>(dylib,
                                                 "halide_set_custom_malloc")(convsmith_workspace_malloc);
    lookup<halide_free_t (*)(halide_free_t)>(dylib, "halide_set_custom_free")(convsmith_workspace_free);
    using SetLoadLibrary = halide_load_library_t (*)(halide_load_library_t);
    lookup<SetLoadLibrary>(dylib, "halide_set_custom_load_library")(load_device_library);
    using ParallelFor = int (*)(void *, ParallelTask, int, int, uint8_t *);
    lookup<ParallelFor (*)(ParallelFor)>(dylib, "halide_set_custom_do_par_for")(run_parallel);
    lookup<void (*)()>(dylib, kConstructRuntime)();
    runtime_ = &dylib;
}

Linker::Linked Linker::link(const std::string &object, const std::string &symbol,
                            const std::function<std::string()> &runtime_object) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!runtime_)
        load_runtime(runtime_object());
    llvm::orc::JITDylib &dylib = new_dylib(symbol);
    dylib.addToLinkOrder(*runtime_);
    try {
        add_object(dylib, object);
        return {&dylib, lookup<LinkedKernel::Entry>(dylib, symbol + "_argv")};
    } catch (...) {
        llvm::consumeError(jit_->getExecutionSession().removeJITDylib(dylib));
        throw;
    }
}

void Linker::unlink(llvm::orc::JITDylib &dylib) {
    const std::lock_guard<std::mutex> lock(mutex_);
    llvm::consumeError(jit_->getExecutionSession().removeJITDylib(dylib));
}

void *Linker::runtime_function(const std::string &name) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!runtime_)
        throw Error(ErrorCode::Internal, name + ": the Halide runtime is not linked before the first kernel");
    return lookup<void *>(*runtime_, name);
}

class OrcKernel : public LinkedKernel {
public:
    explicit OrcKernel(const Linker::Linked &linked) : dylib_(linked.dylib) { entry_ = linked.entry; }
    ~OrcKernel() override { Linker::instance().unlink(*dylib_); }
    OrcKernel(const OrcKernel &) = delete;
    OrcKernel &operator=(const OrcKernel &) = delete;

private:
    llvm::orc::JITDylib *dylib_;
};

std::mutex &compile_mutex() {
    static std::mutex mutex;
    return mutex;
}

/// `change` sees the module before its object is made.
std::string compile_changed(const Halide::Module &module, const Target &target,
                            const std::function<void(llvm::Module &)> &change = {}) {
    prepare_halide();
    try {
        const std::lock_guard<std::mutex> lock(compile_mutex());
        return machine_code(module, target, MachineCode::Object, change);
    } catch (const Halide::Error &error) {
        throw Error(ErrorCode::Compile, "compiling " + module.name() + ": " + error.what());
    }
}

} // namespace

std::string compile_object(const Halide::Module &module, const Target &target) {
    return compile_changed(module, target);
}

std::string compile_runtime_object(const std::string &platform) {
    prepare_halide();
    return compile_changed(Halide::Module("halide_runtime", Halide::Target(platform + kRuntimeFeatures)),
                           Target(), expose_constructors);
}

void LinkedKernel::call(void **buffers) const {
    const int code = try_call(buffers);
    if (code == 0)
        return;
    // An error inside a parallel loop is reported on the thread that met it, so there may be no text here.
    std::string message = take_reported_error();
    if (message.empty())
        message = "Halide error " + std::to_string(code);
    throw Error(ErrorCode::Internal, "running a kernel: " + message);
}

std::string take_reported_error() {
    std::string message = std::move(reported_error());
    reported_error().clear();
    return message;
}

std::shared_ptr<const LinkedKernel> link_kernel(const std::string &object, const std::string &symbol,
                                                const std::function<std::string()> &runtime_object) {
    return std::make_shared<const OrcKernel>(Linker::instance().link(object, symbol, runtime_object));
}

void *runtime_function(const std::string &name) {
    return Linker::instance().runtime_function(name);
}

void set_num_threads(int threads) {
    if (threads < 0) {
        throw Error(ErrorCode::BadArgument, "set_num_threads: threads is " + std::to_string(threads) +
                                                ", want 0 (every core) or more");
    }
    set_parallel_threads(threads);
}

int num_threads() {
    return parallel_threads();
}

void release_workspace() {
    convsmith_workspace_release();
}

} // namespace convsmith
