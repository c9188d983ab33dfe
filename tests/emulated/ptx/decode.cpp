// The decoder's entry and what its parts share (decoder.h): modifiers and operands.
#include "tests/emulated/ptx/decoder.h"

#include <algorithm>
#include <iterator>

namespace convsmith::ptx {

const Decoder::Family Decoder::kFamilies[] = {
    {"activemask", &Decoder::activemask},
    {"addc", &Decoder::carry_arithmetic},
    {"and", &Decoder::logic},
    {"atom", &Decoder::atomic},
    {"bar", &Decoder::barrier},
    {"barrier", &Decoder::barrier},
    {"bra", &Decoder::branch},
    {"cvt", &Decoder::convert},
    {"cvta", &Decoder::convert_address},
    {"exit", &Decoder::exit},
    {"fence", &Decoder::fence},
    {"ld", &Decoder::load},
    {"ldu", &Decoder::load},
    {"madc", &Decoder::carry_arithmetic},
    {"membar", &Decoder::fence},
    {"mov", &Decoder::move},
    {"not", &Decoder::logic},
    {"or", &Decoder::logic},
    {"red", &Decoder::reduction},
    {"ret", &Decoder::return_to_caller},
    {"selp", &Decoder::select},
    {"set", &Decoder::compare_value},
    {"setp", &Decoder::compare_predicates},
    {"shfl", &Decoder::shuffle},
    {"st", &Decoder::store},
    {"subc", &Decoder::carry_arithmetic},
    {"trap", &Decoder::trap},
    {"vote", &Decoder::vote},
    {"xor", &Decoder::logic},
};

Instruction Decoder::decode() {
    in_ = guarded(statement_, kernel_);
    const auto *const family =
        std::find_if(std::begin(kFamilies), std::end(kFamilies),
                     [&](const Family &row) { return row.opcode == statement_.opcode; });
    if (family != std::end(kFamilies))
        (this->*family->decode)();
    else
        arithmetic();
    require(modifiers_.empty());
    return in_;
}

bool Decoder::take(std::string_view modifier) {
    const auto found = std::find(modifiers_.begin(), modifiers_.end(), modifier);
    if (found == modifiers_.end())
        return false;
    modifiers_.erase(found);
    return true;
}

std::vector<Type> Decoder::take_types() {
    std::vector<Type> types;
    const auto is_type = [](std::string_view name) { return parse_type(name) != Type::None; };
    for (const std::string_view name : modifiers_) {
        if (is_type(name))
            types.push_back(parse_type(name));
    }
    modifiers_.erase(std::remove_if(modifiers_.begin(), modifiers_.end(), is_type), modifiers_.end());
    return types;
}

Type Decoder::take_type() {
    const std::vector<Type> types = take_types();
    require(types.size() == 1);
    return types[0];
}

const OperandText &Decoder::operand(std::size_t index) const {
    require(index < statement_.operands.size());
    return statement_.operands[index];
}

void Decoder::set_source(std::size_t index, std::size_t operand_index, Type type) {
    require(!operand(operand_index).is_negated);
    in_.src[index] = kernel_.source(operand(operand_index), slot_of(type));
}

void Decoder::set_destination(Type type) {
    require(operand(0).form == OperandText::Form::Name && operand(0).second.empty());
    in_.dst[0] = kernel_.destination(operand(0).name, slot_of(type));
}

Instruction guarded(const Statement &statement, KernelBuilder &kernel) {
    Instruction in;
    if (!statement.guard.empty()) {
        OperandText guard;
        guard.name = statement.guard;
        in.guard = kernel.source(guard, 0);
        in.is_guard_negated = statement.is_guard_negated;
    }
    return in;
}

Instruction decode(const Statement &statement, KernelBuilder &kernel) {
    try {
        return Decoder(statement, kernel).decode();
    } catch (const Unsupported &) {
        Instruction unsupported = guarded(statement, kernel);
        unsupported.kind = Kind::Unsupported;
        unsupported.refusal = "the emulator does not know this instruction";
        return unsupported;
    }
}

} // namespace convsmith::ptx
