// Tuning on a Slurm cluster: autotune/tune_slurm.sh on one of a single node that the test starts
// (cluster/run.sh).
#include "runtime/process.h"
#include "runtime/records/database.h"
#include "runtime/temp_dir.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <set>

namespace convsmith::autotune {
namespace {

namespace fs = std::filesystem;

constexpr const char *kScript = CONVSMITH_SOURCE_DIR "/autotune/tune_slurm.sh";

class Cluster : public ::testing::Test {
protected:
    Cluster() { setenv("CONVSMITH", CONVSMITH_BINARY_DIR "/bin/convsmith", 1); }

    /// tune_slurm.sh with these arguments on a cluster, until all its jobs have ended.
    ProcessResult tune(const std::vector<std::string> &arguments) const {
        std::vector<std::string> command = {CONVSMITH_SOURCE_DIR "/tests/cluster/run.sh", dir_ / "cluster",
                                            kScript};
        fs::create_directories(dir_ / "cluster");
        command.insert(command.end(), arguments.begin(), arguments.end());
        return run_process(command);
    }

    TempDir dir_;
};

TEST_F(Cluster, ShardsOfAnArrayJobAreJoined) {
    // One candidate each, on the generic schedule: what is tested is who tunes what.
    const std::set<std::string> specs = {"conv_ci8_i6x6_co16_k3_p1", "conv_ci8_i6x6_co8_k1",
                                         "conv_ci8_i5x5_co16_k3_p1", "conv_ci4_i6x6_co8_k3"};
    std::vector<std::string> arguments = {"2", dir_ / "all.jsonl"};
    arguments.insert(arguments.end(), specs.begin(), specs.end());
    arguments.insert(arguments.end(), {"--variant", "direct", "--schedule", "generic", "--param",
                                       "co_block=1", "--budget", "1s"});
    const ProcessResult result = tune(arguments);
    if (result.exit_code == 77)
        GTEST_SKIP() << result.output;
    ASSERT_TRUE(result.ok()) << result.text();
    std::set<std::string> want, found;
    for (const std::string &spec : specs)
        want.insert(ConvDesc::parse(spec).key());
    size_t in_shards = 0;
    for (const char *shard : {"1", "2"}) {
        std::set<std::string> keys;
        const Contents part = Database(dir_ / "all.jsonl.shards/" + shard + ".jsonl").read();
        for (const Record *record : part.records())
            keys.insert(record->key);
        EXPECT_LT(keys.size(), specs.size()) << "shard " << shard << " did all";
        in_shards += keys.size();
    }
    EXPECT_EQ(in_shards, specs.size()) << "a problem was tuned twice";
    const Contents all = Database(dir_ / "all.jsonl").read();
    EXPECT_TRUE(all.problems().empty());
    for (const Record *record : all.records())
        found.insert(record->key);
    EXPECT_EQ(found, want);
}

TEST(TuneSlurm, MistakesAreToldBeforeAnythingIsSubmitted) {
    TempDir dir;
    const std::string db = dir / "t.jsonl";
    setenv("CONVSMITH", CONVSMITH_BINARY_DIR "/bin/convsmith", 1);
    const ProcessResult few = run_process({kScript, "2", db});
    EXPECT_EQ(few.exit_code, 2);
    EXPECT_NE(few.output.find("got 2 arguments"), std::string::npos) << few.output;
    const ProcessResult zero = run_process({kScript, "0", db, "conv_ci8_i6x6_co8_k1"});
    EXPECT_EQ(zero.exit_code, 2);
    EXPECT_NE(zero.output.find("SHARDS: got '0'"), std::string::npos) << zero.output;
    EXPECT_TRUE(fs::is_empty(dir.path()));
}

} // namespace
} // namespace convsmith::autotune
