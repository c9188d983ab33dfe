// Assembly reader (see assembly.h).
#include "tests/assembly.h"

#include "runtime/temp_dir.h"
#include "schedules/lower.h"

#include <algorithm>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <regex>
#include <sstream>

namespace convsmith::testing {
namespace {

std::string mnemonic_of(const std::string &instruction) {
    return instruction.substr(0, instruction.find_first_of(" \t"));
}

} // namespace

int Loop::count(const std::string &mnemonic) const {
    return static_cast<int>(
        std::count_if(instructions.begin(), instructions.end(),
                      [&](const std::string &i) { return mnemonic_of(i).rfind(mnemonic, 0) == 0; }));
}

int Loop::stack_accesses() const {
    static const std::regex by_stack_pointer(R"(\(%rsp)");
    static const std::regex by_frame_pointer(R"(\(%r[sb]p)");
    const std::regex &stack = has_frame_pointer ? by_frame_pointer : by_stack_pointer;
    return static_cast<int>(std::count_if(instructions.begin(), instructions.end(),
                                          [&](const std::string &i) { return std::regex_search(i, stack); }));
}

std::string Loop::text() const {
    std::string all;
    for (const std::string &i : instructions)
        all += "    " + i + "\n";
    return all;
}

std::string assembly_of(const ConvDesc &desc, const Plan &plan) {
    const TempDir dir;
    const std::string file = (dir.path() / "kernel.s").string();
    lower_module(desc, plan, "kernel").compile({{Halide::OutputFileType::assembly, file}});
    std::ifstream in(file);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
}

Loop hot_loop(const std::string &assembly) {
    static const std::regex label(R"(^(\.?\w+):)");
    static const std::regex jump(R"(^j\w+\s+(\.?\w+))");
    std::map<std::string, size_t> label_at; // label -> index of the next instruction
    std::vector<std::string> instructions;
    Loop best;
    double best_density = 0;
    size_t block_start = 0;
    bool has_frame_pointer = false;
    std::istringstream lines(assembly);
    for (std::string line; std::getline(lines, line);) {
        line = line.substr(0, line.find('#'));
        const size_t first = line.find_first_not_of(" \t");
        if (first == std::string::npos)
            continue;
        line = line.substr(first, line.find_last_not_of(" \t") - first + 1);
        std::smatch match;
        if (std::regex_search(line, match, label)) {
            label_at[match[1]] = instructions.size();
            block_start = instructions.size();
            if (line[0] != '.') // a function begins
                has_frame_pointer = false;
            continue;
        }
        if (line[0] == '.')
            continue;
        instructions.push_back(line);
        if (std::regex_search(line, std::regex(R"(movq\s+%rsp, %rbp)")))
            has_frame_pointer = true;
        if (!std::regex_search(line, match, jump) || label_at.count(match[1]) == 0)
            continue;
        const size_t start = label_at[match[1]];
        if (start != block_start) // jumps back over another label: not an innermost single-block loop
            continue;
        Loop loop{{instructions.begin() + static_cast<std::ptrdiff_t>(start), instructions.end()},
                  has_frame_pointer};
        const double density = loop.count("vfmadd") / static_cast<double>(loop.instructions.size());
        if (density > best_density) {
            best_density = density;
            best = loop;
        }
    }
    return best;
}

void expect_none(const Loop &loop, const std::vector<const char *> &mnemonics) {
    for (const char *mnemonic : mnemonics)
        EXPECT_EQ(loop.count(mnemonic), 0) << mnemonic;
}

void expect_no_vector_addressing(const Loop &loop) {
    expect_none(loop, {"vpextr", "vpinsr", "vpadd", "vpmul", "vpbroadcast", "vextract", "vinsert", "vgather",
                       "vperm", "vunpck", "imul", "call", "div", "idiv"});
}

} // namespace convsmith::testing
