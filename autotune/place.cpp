// See place.h.
#include "autotune/place.h"

#include "autotune/candidate.h"
#include "generators/error.h"
#include "runtime/static_program.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <sstream>

namespace convsmith::autotune {

namespace {

constexpr const char *kSsh = "ssh:";

/// What a call on another machine may take; the worker here waits longer than that.
constexpr RemoteLimits kLimits = {20, int64_t{4} << 30};

/// Prints "machine", "cores" and caches as one line each, then the first processor of cpuinfo.
constexpr const char *kFactsScript =
    "echo machine $(uname -m); echo cores $(getconf _NPROCESSORS_ONLN); "
    "for i in /sys/devices/system/cpu/cpu0/cache/index*; do "
    "[ -r $i/size ] && echo cache $(cat $i/level) $(cat $i/type) $(cat $i/size); done; "
    "echo cpuinfo; sed '/^$/q' /proc/cpuinfo";

/// A program that knows the machine's name for itself and times multiply-adds, started there.
std::unique_ptr<RemoteSession> start_idle(const SshMachine &machine, const std::string &platform) {
    const ProgramMaker maker(program_target(parse_target(platform)));
    const ProgramBatch nothing;
    const std::string directory = machine.copy_program(maker.link(nothing));
    return std::make_unique<RemoteSession>(machine, remote_program_script(directory, "--serve", 1, {}),
                                           nothing.input());
}

std::string platform_of(const std::string &machine) {
    return machine == "x86_64" ? "x86-64-linux" : machine == "aarch64" ? "arm-64-linux" : "";
}

/// A feature of Halide's as /proc/cpuinfo calls it.
std::vector<std::string> flags_of(const std::string &feature) {
    if (feature == "sse41")
        return {"sse4_1"};
    if (feature == "avx512")
        return {"avx512f", "avx512cd"};
    if (feature == "avx512_skylake")
        return {"avx512f", "avx512cd", "avx512vl", "avx512bw", "avx512dq"};
    return {feature};
}

/// What the machine lacks for a target, as text.
std::string lacking(const Target &target, const std::string &flags) {
    if (target.platform() != platform_of(flags.substr(0, flags.find(' '))))
        return "the architecture of " + target.platform();
    std::string missing;
    std::istringstream features(target.halide.substr(target.platform().size()));
    for (std::string feature; std::getline(features, feature, '-');) {
        for (const std::string &flag : feature.empty() ? std::vector<std::string>() : flags_of(feature)) {
            if ((" " + flags + " ").find(" " + flag + " ") == std::string::npos &&
                missing.find(flag) == std::string::npos)
                missing += (missing.empty() ? "" : ", ") + flag;
        }
    }
    return missing;
}

double number_of(const std::string &answer, const std::string &where) {
    char *end = nullptr;
    const double number = std::strtod(answer.c_str(), &end);
    if (end == answer.c_str() || answer.rfind("error", 0) == 0)
        throw Error(ErrorCode::Unsupported, fmt::format("on {}: the kernel answers '{}'", where, answer));
    return number;
}

} // namespace

std::string Place::text() const {
    return kind == Kind::Native ? "native" : kind == Kind::Emulated ? "emulated" : kSsh + host;
}

Place parse_place(const std::string &text) {
    if (text == "native")
        return {};
    if (text == "emulated")
        return {Place::Kind::Emulated, ""};
    if (text.rfind(kSsh, 0) == 0) {
        Place place = {Place::Kind::Ssh, text.substr(std::string(kSsh).size())};
        static_cast<void>(SshMachine(place.host)); // says what is wrong with it
        return place;
    }
    throw Error(ErrorCode::BadArgument,
                fmt::format("--runner: got '{}', want native, emulated or ssh:HOST", text));
}

std::shared_ptr<Runner> runner_at(const Place &place, const Candidate &candidate) {
    if (place.kind == Place::Kind::Ssh)
        return make_ssh_runner(place.host, kLimits);
    return make_runner(candidate.plan.target, jit_options(candidate));
}

Hardware remote_hardware(const std::string &host, std::string &flags) {
    const SshMachine machine(host);
    std::istringstream lines(machine.run(kFactsScript));
    HardwareFacts facts;
    std::string line, architecture;
    while (std::getline(lines, line) && line != "cpuinfo") {
        std::istringstream words(line);
        std::string what, type, size;
        size_t level = 0;
        words >> what;
        if (what == "machine")
            words >> architecture;
        else if (what == "cores")
            words >> facts.cores;
        else if (what == "cache" && words >> level >> type >> size && level >= 1 && level <= 3 &&
                 type != "Instruction")
            facts.cache_sizes.at(level - 1) = size;
    }
    facts.cpuinfo = std::string(std::istreambuf_iterator<char>(lines), {});
    const std::string platform = platform_of(architecture);
    if (platform.empty())
        throw Error(ErrorCode::Unsupported,
                    fmt::format("{}: it is a {}, want x86_64 or aarch64", machine.name(),
                                architecture.empty() ? "machine without uname" : architecture));
    if (platform == "x86-64-linux")
        facts.core = start_idle(machine, platform)->ask("name");
    flags = architecture + " " + cpu_flags(facts.cpuinfo);
    return hardware_of(facts);
}

Hardware hardware_at(const Place &place, const Target &target) {
    std::string flags;
    if (place.kind == Place::Kind::Ssh)
        return remote_hardware(place.host, flags);
    if (place.kind == Place::Kind::Native)
        return hardware_for(target);
    Hardware nowhere;
    nowhere.cpu = "emulated " + target.name;
    nowhere.microarchitecture = "emulated";
    return nowhere;
}

Target target_at(const Place &place, const std::string &text) {
    if (place.kind != Place::Kind::Ssh)
        return parse_target(text);
    std::string flags;
    const Hardware hardware = remote_hardware(place.host, flags);
    if (text != "host") {
        Target target = parse_target(text);
        if (const std::string missing = lacking(target, flags); !missing.empty())
            throw Error(ErrorCode::Unsupported, fmt::format("target {}: {} ({}) lacks {}", target.name,
                                                            place.text(), hardware.cpu, missing));
        return target;
    }
    std::optional<Target> best;
    for (const Target &row : target_table()) {
        if (!is_gpu(row) && lacking(row, flags).empty())
            best = row;
    }
    if (!best)
        throw Error(ErrorCode::Unsupported,
                    fmt::format("{} ({}): no target class fits it", place.text(), hardware.cpu));
    return *best;
}

Contestant RemoteTiming::kernel(const Candidate &candidate, const Problem &problem) const {
    const ProgramMaker maker(program_target(candidate.plan.target));
    std::vector<RunResult> results(1);
    size_t next = 0;
    const std::vector<RunJob> jobs = {RunJob{candidate.desc, plan_choice(candidate), &problem}};
    const ProgramBatch batch = maker.compile(jobs, next, results);
    if (batch.jobs.empty())
        throw Error(ErrorCode::Compile, results[0].error);
    const std::string directory = machine_.copy_program(maker.link(batch));
    RemoteLimits limits;
    limits.seconds = kLimits.seconds;
    const auto session = std::make_shared<RemoteSession>(
        machine_, remote_program_script(directory, "--serve", candidate.threads, limits), batch.input());
    const auto block = [session, where = machine_.name()](int64_t calls) {
        return number_of(session->ask(fmt::format("time {}", calls)), where);
    };
    return {candidate.plan.text(), [block] { block(1); }, block};
}

RemoteSession &RemoteTiming::idle_session() {
    if (!idle_) {
        std::string machine = machine_.run("uname -m");
        idle_ = start_idle(machine_, platform_of(machine.substr(0, machine.find('\n'))));
    }
    return *idle_;
}

Contestant RemoteTiming::probe() {
    RemoteSession &session = idle_session();
    const auto block = [&session, where = machine_.name()](int64_t calls) {
        return number_of(session.ask(fmt::format("probe {}", calls)), where);
    };
    return {"probe", [block] { block(1); }, block};
}

Roofs RemoteTiming::roofs() {
    std::istringstream answer(idle_session().ask("roofs"));
    Roofs roofs;
    answer >> roofs.peak_gflops >> roofs.copy_gb_per_s;
    return roofs;
}

} // namespace convsmith::autotune
