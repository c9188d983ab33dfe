// Jit (see kernel.h): tuning records -> planner -> kernels in memory -> objects on disk -> compiler. Before
// it: object_store.h; after it: every program that calls kernels.
#include "runtime/conv_kernel.h"
#include "runtime/device.h"
#include "runtime/kernel.h"
#include "runtime/object_store.h"
#include "runtime/once_cache.h"
#include "runtime/records/recorded_plans.h"

#include <mutex>
#include <utility>

namespace convsmith {

namespace {

size_t checked_max_kernels(const JitOptions &options) {
    if (options.max_kernels <= 0) {
        throw Error(ErrorCode::BadArgument,
                    "jit: max_kernels is " + std::to_string(options.max_kernels) + ", want more than 0");
    }
    return static_cast<size_t>(options.max_kernels);
}

} // namespace

class Jit::Impl {
public:
    explicit Impl(const JitOptions &options)
        : kernels_(checked_max_kernels(options)), store_(std::make_shared<ObjectStore>(options)) {
        if (!options.records.empty()) // a mistake shows now
            std::call_once(are_records_read_,
                           [&] { records_ = autotune::load_recorded_plans(options.records); });
    }

    std::shared_ptr<const Kernel> kernel(const ConvDesc &desc, PlanRequest request) {
        if (request.tuned == nullptr) {
            std::call_once(are_records_read_, [&] { records_ = autotune::load_recorded_plans(); });
            request.tuned = records_;
        }
        if (request.threads == 0)
            request.threads = num_threads();
        return kernel(desc, make_plan(desc, host_target(), request));
    }

    std::shared_ptr<const Kernel> kernel(const ConvDesc &desc, const PlanChoice &choice) {
        desc.validate();
        const Plan &plan = choice.plan;
        require_runnable(plan.target);
        // A kernel says where its plan is from, so that the same numbers from two sources are two kernels.
        const std::string key =
            desc.key() + "\n" + plan.text() + "\n" + plan.target.halide + "\n" + choice.source;
        return kernels_.get(key, [&] {
            return make_conv_kernel({desc, choice, store_->conv_code(desc, plan), store_});
        });
    }

    JitStats stats() const {
        JitStats stats;
        store_->report(stats);
        stats.memory_hits = kernels_.hits();
        stats.evicted = kernels_.dropped();
        return stats;
    }

private:
    std::once_flag are_records_read_;
    std::shared_ptr<const TunedPlans> records_; ///< null: plans are made without
    OnceCache<Kernel> kernels_;
    std::shared_ptr<ObjectStore> store_;
};

Jit::Jit(const JitOptions &options) : impl_(std::make_unique<Impl>(options)) {}

Jit::~Jit() = default;

std::shared_ptr<const Kernel> Jit::kernel(const ConvDesc &desc, const PlanRequest &request) {
    desc.validate();
    return impl_->kernel(desc, request);
}

std::shared_ptr<const Kernel> Jit::kernel(const ConvDesc &desc, const PlanChoice &choice) {
    return impl_->kernel(desc, choice);
}

JitStats Jit::stats() const {
    return impl_->stats();
}

} // namespace convsmith
