// A bounded in-memory cache that makes each value once, however many threads ask for it at the same time.
// Internal to runtime: the JIT keeps its kernels and packing code in it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace convsmith {

/// Key -> shared immutable value. Beyond `max_values` the least recently used are dropped (their other owners
/// keep them); values still being made are never dropped.
template<typename T>
class OnceCache {
public:
    using Value = std::shared_ptr<const T>;

    explicit OnceCache(size_t max_values) : max_values_(max_values) {}

    /// The value of `key`, made by `make` if there is none. Concurrent callers wait for the one that makes
    /// it; if `make` throws, they all get its exception and the next caller tries again.
    Value get(const std::string &key, const std::function<Value()> &make);

    /// Calls that found the value made or in the making.
    int64_t hits() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return hits_;
    }
    /// Values dropped so far.
    int64_t dropped() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return dropped_;
    }

private:
    struct Entry {
        std::shared_future<Value> value;
        std::list<std::string>::iterator position; ///< in order_
    };

    void shrink_to_bound(std::vector<std::shared_future<Value>> &garbage);

    const size_t max_values_;
    mutable std::mutex mutex_;
    std::map<std::string, Entry> entries_;
    std::list<std::string> order_; ///< keys, most recently used first
    int64_t hits_ = 0;
    int64_t dropped_ = 0;
};

template<typename T>
typename OnceCache<T>::Value OnceCache<T>::get(const std::string &key, const std::function<Value()> &make) {
    std::vector<std::shared_future<Value>>
        garbage; // destroyed after the lock is released: unloading takes time
    std::promise<Value> promise;
    {
        std::unique_lock<std::mutex> lock(mutex_);
        const auto found = entries_.find(key);
        if (found != entries_.end()) {
            hits_++;
            order_.splice(order_.begin(), order_, found->second.position);
            const std::shared_future<Value> value = found->second.value;
            lock.unlock();
            return value.get();
        }
        order_.push_front(key);
        entries_.emplace(key, Entry{promise.get_future().share(), order_.begin()});
        shrink_to_bound(garbage);
    }
    try {
        Value value = make();
        promise.set_value(value);
        return value;
    } catch (...) {
        const std::lock_guard<std::mutex> lock(mutex_);
        const auto failed = entries_.find(key);
        garbage.push_back(failed->second.value);
        order_.erase(failed->second.position);
        entries_.erase(failed);
        promise.set_exception(std::current_exception());
        throw;
    }
}

template<typename T>
void OnceCache<T>::shrink_to_bound(std::vector<std::shared_future<Value>> &garbage) {
    auto position = order_.end();
    while (entries_.size() > max_values_ && position != order_.begin()) {
        --position;
        const auto entry = entries_.find(*position);
        if (entry->second.value.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
            continue;
        garbage.push_back(std::move(entry->second.value));
        entries_.erase(entry);
        position = order_.erase(position);
        dropped_++;
    }
}

} // namespace convsmith
