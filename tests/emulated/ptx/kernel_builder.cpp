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
    open_scope();
}

void KernelBuilder::declare_register(std::string_view name, Type type) {
    scopes_.back().registers[name] = new_row(slot_of(type));
}

void KernelBuilder::declare_registers(std::string_view prefix, unsigned count, Type type) {
    scopes_.back().families.push_back({prefix, count, type});
}

void KernelBuilder::declare_local(std::string_view name, std::uint32_t bytes, std::uint32_t alignment) {
    const std::uint32_t offset = round_up(kernel_.local_bytes, alignment);
    addresses_[name] = offset;
    // A multiple of the largest access, so that every thread's begins aligned.
    kernel_.local_bytes = round_up(offset + bytes, 16);
}

void KernelBuilder::declare_shared(std::string_view name, std::uint32_t bytes, std::uint32_t alignment) {
    if (is_shared_complete_)
        fail("shared memory " + quoted(name) + " is declared behind a use of dynamic shared memory");
    const std::uint32_t offset = round_up(kernel_.shared_bytes, alignment);
    addresses_[name] = offset;
    kernel_.shared_bytes = offset + bytes;
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

const Parameter *KernelBuilder::find_parameter(std::string_view name) const {
    for (const Parameter &parameter : kernel_.parameters) {
        if (parameter.name == name)
            return &parameter;
    }
    return nullptr;
}

int KernelBuilder::label(std::string_view name) {
    const auto found =
        std::find_if(labels_.begin(), labels_.end(), [&](const Label &l) { return l.name == name; });
    if (found != labels_.end())
        return static_cast<int>(found - labels_.begin());
    labels_.push_back({name});
    return static_cast<int>(labels_.size()) - 1;
}

void KernelBuilder::add(const Instruction &instruction, Location location) {
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

Operand KernelBuilder::new_row(unsigned slot) {
    Operand row;
    row.row = kernel_.register_bytes;
    row.slot = static_cast<std::uint8_t>(slot);
    kernel_.register_bytes += round_up(std::max(kLanes * slot, 4U), kRowAlignment);
    return row;
}

Operand KernelBuilder::find_register(std::string_view name) {
    if (name.empty() || name[0] != '%') {
        // Registers of inline assembly may go without the percent sign; families never do.
        for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
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
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
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
    const auto local = addresses_.find(name);
    if (local != addresses_.end()) {
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
