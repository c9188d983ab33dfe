// See hot_loop.h.
#include "autotune/hot_loop.h"

#include "schedules/lower.h"
#include "schedules/machine_code.h"

#include <algorithm>
#include <map>
#include <optional>
#include <regex>
#include <sstream>
#include <utility>

namespace convsmith::autotune {
namespace {

/// Comments of x86 begin with #, which marks numbers on ARM, where they begin with //.
std::string without_comment(const std::string &line, bool is_arm) {
    const std::string code = line.substr(0, is_arm ? line.find("//") : line.find('#'));
    const size_t first = code.find_first_not_of(" \t");
    return first == std::string::npos ? "" : code.substr(first, code.find_last_not_of(" \t") - first + 1);
}

/// The label that an instruction jumps to, if it does.
std::optional<std::string> jump_target(const std::string &instruction) {
    static const std::regex jump(R"(^(?:j\w+|b|b\.\w+|cbn?z\s+\w+,|tbn?z\s+\w+, ?#?\w+,)\s+(\.\w+)$)");
    std::smatch match;
    return std::regex_search(instruction, match, jump) ? std::optional<std::string>(match[1]) : std::nullopt;
}

/// Goes through the lines and keeps the loops, whose best it then takes.
class LoopFinder {
public:
    explicit LoopFinder(bool is_arm) : is_arm_(is_arm) {}

    void read(const std::string &text) {
        static const std::regex label(R"(^(\.?\w+):)");
        static const std::regex frame(R"(^(movq\s+%rsp, %rbp|(mov|add)\s+x29, sp))");
        const std::string line = without_comment(text, is_arm_);
        std::smatch match;
        if (line.empty())
            return;
        if (std::regex_search(line, match, label)) {
            label_at_[match[1]] = instructions_.size();
            block_start_ = instructions_.size();
            if (line[0] != '.') // a function begins
                has_frame_pointer_ = false;
            return;
        }
        if (line[0] == '.')
            return;
        instructions_.push_back(line);
        if (std::regex_search(line, frame))
            has_frame_pointer_ = true;
        if (const std::optional<std::string> target = jump_target(line))
            end_block(*target);
    }

    Loop take() const {
        const auto multiply_adds = [](const Loop &loop) { return loop.multiply_adds(); };
        const auto multiplications = [](const Loop &loop) {
            return loop.count("mulp") + loop.count("vmulp") + loop.count("fmul");
        };
        const Loop fused = best(multiply_adds);
        return fused.instructions.empty() ? best(multiplications) : fused;
    }

private:
    /// A block that jumps back over another label is no innermost loop of a single block.
    void end_block(const std::string &target) {
        const auto found = label_at_.find(target);
        if (found == label_at_.end())
            return;
        jumps_back_.emplace_back(found->second, instructions_.size());
        if (found->second != block_start_)
            return;
        blocks_.push_back(
            {jumps_back_.back(),
             {{instructions_.begin() + static_cast<std::ptrdiff_t>(block_start_), instructions_.end()},
              has_frame_pointer_}});
    }

    /// Begin and end among instructions.
    using Range = std::pair<size_t, size_t>;

    struct Block {
        Range range;
        Loop loop;
    };

    /// The loops around a range.
    int64_t depth(const Range &range) const {
        return std::count_if(jumps_back_.begin(), jumps_back_.end(), [&](const Range &around) {
            return around.first <= range.first && around.second >= range.second && around != range;
        });
    }

    /// The loop with the most of something per instruction, or one that is nearly as good and inside of more
    /// loops: a copy of a loop for the last tile alone may have one pointer less.
    template<typename Count>
    Loop best(const Count &count) const {
        constexpr double kNearly = 0.75;
        const auto density = [&](const Block &block) {
            return count(block.loop) / static_cast<double>(block.loop.instructions.size());
        };
        double most = 0;
        for (const Block &block : blocks_)
            most = std::max(most, density(block));
        const Block *chosen = nullptr;
        const auto rank = [&](const Block &block) {
            return std::make_pair(depth(block.range), density(block));
        };
        for (const Block &block : blocks_) {
            const bool is_good = density(block) > 0 && density(block) >= kNearly * most;
            if (is_good && (chosen == nullptr || rank(block) > rank(*chosen)))
                chosen = &block;
        }
        return chosen == nullptr ? Loop() : chosen->loop;
    }

    const bool is_arm_;
    std::map<std::string, size_t> label_at_; ///< index of the next instruction
    std::vector<std::string> instructions_;
    size_t block_start_ = 0;
    bool has_frame_pointer_ = false;
    std::vector<Range> jumps_back_;
    std::vector<Block> blocks_;
};

} // namespace

std::string mnemonic_of(const std::string &instruction) {
    return instruction.substr(0, instruction.find_first_of(" \t"));
}

int Loop::count(const std::string &mnemonic) const {
    return static_cast<int>(
        std::count_if(instructions.begin(), instructions.end(),
                      [&](const std::string &i) { return mnemonic_of(i).rfind(mnemonic, 0) == 0; }));
}

int Loop::multiply_adds() const {
    return count("vfmadd") + count("fmla") + count("fmadd");
}

int Loop::arithmetic() const {
    int sum = 0;
    for (const char *mnemonic : {"vfmadd", "vfnmadd", "vmulp", "vaddp", "vsubp", "vmaxp", "vminp", "fmla",
                                 "fmls", "fmadd", "fmul", "fadd", "fsub", "fmax", "fmin"})
        sum += count(mnemonic);
    return sum;
}

int Loop::loads() const {
    static const std::regex vector_load(
        R"(^(v?mov[au]p[sd]|v?broadcasts[sd])\s+\S*\(|^(ldu?r|ldp|ld1r?)\s+\{? ?[qvds]\d)");
    return static_cast<int>(std::count_if(instructions.begin(), instructions.end(), [](const std::string &i) {
        return std::regex_search(i, vector_load);
    }));
}

int Loop::stack_accesses() const {
    static const std::regex by_stack_pointer(R"(\(%rsp|\[sp\b)");
    static const std::regex by_frame_pointer(R"(\(%r[sb]p|\[sp\b|\[x29, #-)");
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
    Plan of_linux = plan; // Apple's assembler has a syntax of its own
    std::string &target = of_linux.target.halide;
    for (const std::string system : {"-osx", "-ios"}) {
        if (const size_t at = target.find(system); at != std::string::npos)
            target.replace(at, system.size(), "-linux");
    }
    return machine_code(lower_module(desc, of_linux, "kernel"), of_linux.target, MachineCode::Assembly);
}

Loop hot_loop(const std::string &assembly) {
    const bool is_arm = assembly.find("%r") == std::string::npos; // the stack pointer, if nothing else
    LoopFinder finder(is_arm);
    std::istringstream lines(assembly);
    for (std::string line; std::getline(lines, line);)
        finder.read(line);
    return finder.take();
}

} // namespace convsmith::autotune
