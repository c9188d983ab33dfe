// A worker program whose candidates can be made to fail, for worker_test.cpp: convsmith's worker with a
// runner that does something terrible in place of some plans.
//   planted_worker [PLAN=MISCHIEF...] PARENT      PLAN as Plan::text; MISCHIEF: segfault, illegal, hang,
//   memory, wrong, exit, work (a second of it for each set of data, right), fresh (wrong on data of another
//   seed than 1)
#include "autotune/candidate.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <unistd.h>

namespace convsmith::autotune {
namespace {

using Plants = std::map<std::string, std::string>;

void take_all_memory() {
    for (;;) {
        const size_t bytes = 16 << 20;
        volatile char *block = static_cast<char *>(std::malloc(bytes));
        for (size_t i = 0; i < bytes; i += 4096)
            block[i] = 1;
    }
}

/// A second on a core, however long that takes.
void work() {
    const std::clock_t start = std::clock();
    while (std::clock() - start < CLOCKS_PER_SEC) {
    }
}

bool is_of_seed_one(const Problem &problem) {
    const auto holds = [&](Fill kind) {
        const Tensor &own = problem["input"];
        const Problem first = make_problem(problem.desc, kind, 1);
        return std::memcmp(own.data(), first["input"].data(), own.bytes()) == 0;
    };
    return holds(Fill::Uniform) || holds(Fill::SmallIntegers);
}

void misbehave(const std::string &mischief) {
    std::fprintf(stderr, "about to %s\n", mischief.c_str());
    if (mischief == "segfault")
        raise(SIGSEGV);
    if (mischief == "illegal")
        raise(SIGILL);
    if (mischief == "exit")
        _exit(3);
    if (mischief == "memory")
        take_all_memory();
    while (mischief == "hang")
        usleep(1000);
}

class PlantedRunner : public Runner {
public:
    PlantedRunner(const Plants &plants, std::unique_ptr<Runner> real)
        : plants_(plants), real_(std::move(real)) {}

    std::string name() const override { return "planted"; }
    bool is_timing_real() const override { return true; }

    std::vector<RunResult> run(const std::vector<RunJob> &jobs) override {
        std::vector<RunResult> results = real_->run(jobs);
        for (size_t i = 0; i < jobs.size(); i++) {
            const auto plant = plants_.find(jobs[i].choice.plan.text());
            if (plant == plants_.end())
                continue;
            if (plant->second == "work") {
                work();
                continue;
            }
            if (plant->second == "fresh" && is_of_seed_one(*jobs[i].problem))
                continue;
            misbehave(plant->second);
            results[i].output.set(0, results[i].output.get(0) + 1); // "wrong", "fresh"
        }
        return results;
    }

private:
    const Plants &plants_;
    std::unique_ptr<Runner> real_;
};

int run(int argc, char **argv) {
    Plants plants;
    for (int i = 1; i + 1 < argc; i++) {
        const std::string plant = argv[i];
        plants[plant.substr(0, plant.rfind('='))] = plant.substr(plant.rfind('=') + 1);
    }
    CandidateServer server([&](const JitOptions &options) {
        return std::make_shared<PlantedRunner>(plants, make_native_runner(options));
    });
    return serve(std::atoi(argv[argc - 1]), [&](const Json &request) { return server.answer(request); });
}

} // namespace
} // namespace convsmith::autotune

int main(int argc, char **argv) {
    return convsmith::autotune::run(argc, argv);
}
