// See recorded_plans.h. Records are sorted by problem once, and every question is answered once.
#include "runtime/records/recorded_plans.h"

#include "generators/error.h"

#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <tuple>

namespace convsmith::autotune {

namespace {

class RecordedPlans : public TunedPlans {
public:
    explicit RecordedPlans(Layers layers) {
        for (size_t i = 0; i < layers.size(); i++) {
            for (Line &line : layers[i].lines) {
                if (line.record)
                    layers_of(line.record->key, layers)[i].lines.push_back(std::move(line));
                else if (line.number == 0)
                    problems_.push_back(line.problem);
            }
        }
    }

    TunedAnswer find(const TunedQuery &query) const override {
        const std::lock_guard<std::mutex> lock(mutex_);
        const auto question = std::make_tuple(query.key, query.target.halide, query.threads, query.accuracy);
        const auto known = answers_.find(question);
        return known != answers_.end() ? known->second
                                       : answers_.emplace(question, answer(query)).first->second;
    }

private:
    using Question = std::tuple<std::string, std::string, int, Accuracy>;

    /// The layers of one problem, made empty, in the order of `all`.
    Layers &layers_of(const std::string &key, const Layers &all) {
        const auto [at, is_new] = problems_by_key_.try_emplace(key);
        for (size_t i = 0; is_new && i < all.size(); i++) {
            at->second.emplace_back();
            at->second.back().name = all[i].name;
        }
        return at->second;
    }

    TunedAnswer answer(const TunedQuery &query) const {
        TunedAnswer answer;
        answer.passed_over = problems_;
        const auto layers = problems_by_key_.find(query.key);
        if (layers == problems_by_key_.end())
            return answer;
        Query wanted;
        wanted.key = query.key;
        wanted.target = query.target.halide;
        wanted.hardware = hardware_for(query.target);
        wanted.threads = query.threads;
        wanted.accuracy = query.accuracy;
        const LookUp result = look_up(layers->second, wanted);
        const auto add = [&](const Found &found) {
            const Record &record = *found.record;
            answer.plans.push_back({record.variant, record.schedule, record.params, found.text()});
        };
        if (result.found)
            add(*result.found);
        for (const Found &found : result.next)
            add(found);
        for (const std::string &reason : result.passed_over())
            answer.passed_over.push_back(reason);
        return answer;
    }

    std::map<std::string, Layers> problems_by_key_;
    std::vector<std::string> problems_; ///< files that could not be read
    mutable std::mutex mutex_;          ///< guards answers_
    mutable std::map<Question, TunedAnswer> answers_;
};

} // namespace

std::shared_ptr<const TunedPlans> recorded_plans(Layers layers) {
    return std::make_shared<const RecordedPlans>(std::move(layers));
}

std::shared_ptr<const TunedPlans> load_recorded_plans(const std::string &project) {
    if (project == "-")
        return nullptr;
    std::error_code error;
    if (!project.empty() && !std::filesystem::exists(project, error))
        throw Error(ErrorCode::Io, project + ": no such file of tuning records");
    return recorded_plans(load_layers(project));
}

} // namespace convsmith::autotune
