// Names and register rows of a kernel in the making (kernel_builder.h).
#include "tests/emulated/ptx/kernel_builder.h"

#include <algorithm>
#include <charconv>

namespace convsmith::ptx {

namespace {

constexpr std::uint32_t kRowAlignment = 64; ///< a cache line
constexpr std::uint32_t kDynamicSharedAlignment = 16;

constexpr std::array<std::string_view, kSpecials> kSpecialNames = {
    "%tid.x",   "%tid.y",    "%tid.z",    "%ntid.x",   "%ntid.y", "%ntid.z", "%ctaid.x", "%ctaid.y",
    "%ctaid.z", "%nctaid.x", "%nctaid.y", "%nctaid.z", "%laneid", "%warpid", "%nwarpid"};

std::uint32_t round_up(std::uint32_t value, std::uint32_t step) {
    return (value + step - 1) / step * step;
}

std::string quoted(std::string_view name) {
    return "`" + std::string(name) + "`";
}

} // namespace

KernelBuilder::KernelBuilder(Kernel &kernel, const ModuleSymbols &module) : kernel_(kernel), module_(module) {
    kernel_.shared_bytes = module.shared_bytes;
    bodies_.emplace_back();
    open_scope();
    for (const Parameter &parameter : kernel.parameters)
        body().scopes.back().parameters[parameter.name] = {parameter.offset, parameter.bytes, true, false};
}

void KernelBuilder::declare_register(std::string_view name, Type type) {
    body().scopes.back().registers[name] = new_row(slot_of(type));
}

void KernelBuilder::declare_registers(std::string_view prefix, unsigned count, Type type) {
    body().scopes.back().families.push_back({prefix, count, type});
}

void KernelBuilder::declare_local(std::string_view name, std::uint32_t bytes, std::uint32_t alignment) {
    body().addresses[name] = allocate_local(bytes, alignment);
}

void KernelBuilder::declare_shared(std::string_view name, std::uint32_t bytes, std::uint32_t alignment) {
    const auto [known, is_new] = shared_.emplace(name.data(), round_up(kernel_.shared_bytes, alignment));
    body().addresses[name] = known->second;
    if (!is_new)
        return;
    if (is_shared_complete_)
        fail("shared memory " + quoted(name) + " is declared behind a use of dynamic shared memory");
    kernel_.shared_bytes = known->second + bytes;
}

void KernelBuilder::declare_parameter(std::string_view name, std::uint32_t bytes, std::uint32_t alignment) {
    body().scopes.back().parameters[name] = {allocate_local(bytes, alignment), bytes, false, true};
}

void KernelBuilder::declare_dynamic_shared(std::string_view name) {
    dynamic_shared_.push_back(name);
}

void KernelBuilder::declare_label(std::string_view name) {
    labels_[static_cast<std::size_t>(label(name))].position = static_cast<int>(kernel_.code.size());
}

Operand KernelBuilder::source(const OperandText &text, unsigned slot) {
    if (text.form == OperandText::Form::Number) {
        const std::uint64_t bits = slot != 0 ? text.number : text.number != 0 ? kAllLanes : 0;
        return constant(bits, slot);
    }
    if (text.form != OperandText::Form::Name)
        fail("a register or number is expected");
    Operand operand = find_register(text.name);
    std::uint64_t address = 0;
    if (!operand.is_present() && slot != 0 && find_address(text.name, address))
        operand = constant(address, slot);
    if (!operand.is_present())
        fail("unknown name " + quoted(text.name));
    if (operand.slot != slot)
        fail("the register " + quoted(text.name) + " is not of the instruction's width");
    return operand;
}

Operand KernelBuilder::source(const OperandText &text) {
    const Operand named = text.form == OperandText::Form::Name ? find_register(text.name) : Operand();
    return source(text, named.is_present() ? std::max<unsigned>(named.slot, 4) : 8);
}

Operand KernelBuilder::destination(std::string_view name, unsigned slot) {
    if (name == "_")
        return new_row(slot);
    const Operand operand = find_register(name);
    if (!operand.is_present())
        fail("unknown register " + quoted(name));
    if (operand.slot != slot)
        fail("the register " + quoted(name) + " is not of the instruction's width");
    return operand;
}

Operand KernelBuilder::destination(std::string_view name) {
    const Operand named = find_register(name);
    return destination(name, named.is_present() ? std::max<unsigned>(named.slot, 4) : 8);
}

Operand KernelBuilder::constant(std::uint64_t bits, unsigned slot) {
    Operand &row = constants_[{bits, slot}];
    if (!row.is_present()) {
        row = new_row(slot);
        kernel_.constants.push_back({row, bits});
    }
    return row;
}

Operand KernelBuilder::carry() {
    if (!carry_.is_present())
        carry_ = new_row(0);
    return carry_;
}

const ParamVariable *KernelBuilder::find_parameter(std::string_view name) const {
    const std::vector<Scope> &scopes = bodies_.back().scopes;
    for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope) {
        const auto found = scope->parameters.find(name);
        if (found != scope->parameters.end())
            return &found->second;
    }
    return nullptr;
}

int KernelBuilder::label(std::string_view name) {
    const auto found = body().labels.find(name);
    if (found != body().labels.end())
        return found->second;
    return body().labels[name] = new_label(name);
}

int KernelBuilder::new_label(std::string_view name) {
    labels_.push_back({name});
    return static_cast<int>(labels_.size()) - 1;
}

void KernelBuilder::begin_call(const CallSite &site) {
    Body callee;
    callee.function = site.function;
    callee.call = static_cast<int>(kernel_.calls.size());
    callee.end = new_label(site.function);
    callee.local_begin = kernel_.local_bytes;
    callee.scopes.emplace_back();
    Call call = {std::string(site.function), site.location.line, body().call, {}};
    for (const auto &[name, variable] : site.parameters) {
        callee.scopes.back().parameters[name] = variable;
        if (variable.is_writable)
            call.fresh.push_back({variable.offset, variable.bytes});
    }
    if (site.in.guard.is_present()) {
        Instruction skip = site.in;
        skip.kind = Kind::Branch;
        skip.is_guard_negated = !skip.is_guard_negated;
        skip.target = callee.end;
        add(skip, site.location);
    }
    Instruction in;
    in.kind = Kind::Call;
    in.target = callee.call;
    add(in, site.location);
    kernel_.calls.push_back(std::move(call));
    bodies_.push_back(std::move(callee));
}

void KernelBuilder::end_call() {
    const Body &callee = body();
    labels_[static_cast<std::size_t>(callee.end)].position = static_cast<int>(kernel_.code.size());
    if (const std::uint32_t bytes = kernel_.local_bytes - callee.local_begin)
        kernel_.calls[static_cast<std::size_t>(callee.call)].fresh.push_back({callee.local_begin, bytes});
    bodies_.pop_back();
}

bool KernelBuilder::is_within(std::string_view function) const {
    return std::any_of(bodies_.begin(), bodies_.end(),
                       [&](const Body &body) { return body.function == function; });
}

std::optional<int> KernelBuilder::function_end() const {
    const int end = bodies_.back().end;
    return end >= 0 ? std::optional(end) : std::nullopt;
}

void KernelBuilder::add(const Instruction &instruction, Location location) {
    location.call = body().call;
    kernel_.code.push_back(instruction);
    kernel_.locations.push_back(std::move(location));
}

void KernelBuilder::finish() {
    for (const Label &label : labels_) {
        if (label.position < 0)
            fail("there is no label " + quoted(label.name));
    }
    for (Instruction &instruction : kernel_.code) {
        if (instruction.kind == Kind::Branch)
            instruction.target = labels_[static_cast<std::size_t>(instruction.target)].position;
    }
    Instruction end;
    end.kind = Kind::Exit;
    add(end, {kernel_.locations.empty() ? 0 : kernel_.locations.back().line, "}"});
}

std::uint32_t KernelBuilder::allocate_local(std::uint32_t bytes, std::uint32_t alignment) {
    const std::uint32_t offset = round_up(kernel_.local_bytes, alignment);
    // A multiple of the largest access, so that every thread's begins aligned.
    kernel_.local_bytes = round_up(offset + bytes, 16);
    return offset;
}

Operand KernelBuilder::new_row(unsigned slot) {
    Operand row;
    row.row = kernel_.register_bytes;
    row.slot = static_cast<std::uint8_t>(slot);
    kernel_.register_bytes += round_up(std::max(kLanes * slot, 4U), kRowAlignment);
    return row;
}

Operand KernelBuilder::find_register(std::string_view name) {
    std::vector<Scope> &scopes = body().scopes;
    if (name.empty() || name[0] != '%') {
        // Registers of inline assembly may go without the percent sign; families never do.
        for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope) {
            const auto found = scope->registers.find(name);
            if (found != scope->registers.end())
                return found->second;
        }
        return {};
    }
    const std::size_t digits = name.find_last_not_of("0123456789") + 1;
    unsigned index = 0;
    const bool has_index =
        std::from_chars(name.data() + digits, name.data() + name.size(), index).ec == std::errc();
    for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope) {
        const auto found = scope->registers.find(name);
        if (found != scope->registers.end())
            return found->second;
        for (const Family &family : scope->families) {
            // Most declared registers are never used: a row only for those that are.
            if (has_index && family.prefix == name.substr(0, digits) && index < family.count)
                return scope->registers[name] = new_row(slot_of(family.type));
        }
    }
    return find_special(name);
}

Operand KernelBuilder::find_special(std::string_view name) {
    const auto found = std::find(kSpecialNames.begin(), kSpecialNames.end(), name);
    if (found == kSpecialNames.end())
        return {};
    Operand &row = kernel_.specials[static_cast<std::size_t>(found - kSpecialNames.begin())];
    if (!row.is_present())
        row = new_row(4);
    return row;
}

bool KernelBuilder::find_address(std::string_view name, std::uint64_t &address) {
    if (name == "WARP_SZ") {
        address = kLanes;
        return true;
    }
    const auto is_name = [&](std::string_view other) { return other == name; };
    if (std::any_of(dynamic_shared_.begin(), dynamic_shared_.end(), is_name) ||
        std::any_of(module_.dynamic_shared.begin(), module_.dynamic_shared.end(), is_name)) {
        kernel_.shared_bytes = round_up(kernel_.shared_bytes, kDynamicSharedAlignment);
        is_shared_complete_ = true;
        address = kernel_.shared_bytes;
        return true;
    }
    const auto local = body().addresses.find(name);
    if (local != body().addresses.end()) {
        address = local->second;
        return true;
    }
    const auto global = module_.addresses.find(name);
    if (global == module_.addresses.end())
        return false;
    address = global->second;
    return true;
}

void KernelBuilder::fail(const std::string &message) {
    throw NameError(message);
}

} // namespace convsmith::ptx
