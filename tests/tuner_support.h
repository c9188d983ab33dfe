// Tuning runs of a small problem into a database of their own. Used by tuner_test.cpp and
// tuner_fault_test.cpp.
#pragma once

#include "autotune/tuner.h"
#include "runtime/records/curate.h"
#include "runtime/records/lookup.h"
#include "runtime/temp_dir.h"
#include "tests/error_of.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace convsmith::autotune {

class TunerTest : public ::testing::Test {
protected:
    TunerTest() {
        // A space of six candidates of the generic schedule: the same on every machine, quickly compiled.
        options_.fixed.schedule = "generic";
        options_.budget_seconds = 600;
        options_.limits = {120, int64_t{2} << 30};
        options_.batch = 3;
        options_.worker = {CONVSMITH_BINARY_DIR "/bin/convsmith", "worker"};
    }

    TuneResult run() { return tune(desc_, host_target(), database_, options_); }

    Space space() const { return enumerate_space(desc_, host_target(), options_.fixed); }

    std::vector<const Record *> chosen(const Contents &contents) const {
        std::vector<const Record *> records;
        for (const Record *record : contents.records()) {
            if (record->is_chosen)
                records.push_back(record);
        }
        return records;
    }

    /// What a look-up takes; empty for nothing.
    std::string best_plan(const Contents &contents) const {
        Query query;
        query.key = desc_.key();
        query.target = host_target().halide;
        const Layers layers = {contents}; // which the result points into
        const LookUp result = look_up(layers, query);
        return result.found ? result.found->record->plan_text() : "";
    }

    TempDir dir_;
    Database database_{dir_ / "db.jsonl"};
    ConvDesc desc_ = ConvDesc::parse("conv_ci8_i6x6_co16_k3_p1");
    TuneOptions options_;
};

} // namespace convsmith::autotune
