// Tuning records for tests: one problem, this machine, numbers that tell them apart.
#pragma once

#include "runtime/records/record.h"
#include "schedules/plan.h"

#include <string>

namespace convsmith::autotune {

inline constexpr const char *kSampleKey = "conv_ci16_i8x8_co16_k3_p1";

/// An Ok record of a direct plan for AVX2 with `rows` rows, `us` microseconds a call.
inline Record sample_record(int rows = 1, double us = 10) {
    const ConvDesc desc = ConvDesc::parse(kSampleKey);
    PlanRequest request;
    request.variant = "direct";
    Plan plan = make_plan(desc, parse_target("x86_avx2"), request).plan;
    plan.params["rows"] = rows;
    Record record = new_record(desc, plan, 1);
    record.ns = {us * 990, us * 1000, 9, 0.5};
    record.probe_ns = 50000;
    record.seed = 7;
    record.run = "test";
    record.time = "2026-01-01T00:00:00Z";
    return record;
}

/// The same that failed.
inline Record failed_record(Status status, int rows = 1) {
    Record record = sample_record(rows);
    record.status = status;
    record.error = "output[0]: got 1, want 2 +- 1e-6";
    return record;
}

} // namespace convsmith::autotune
