// homing_policy.hpp - the certificate policies of homing.h for C++17, beside homing.hpp: for programs with a TLS stack of
// their own. What stands at the top of homing.hpp holds here too.

#ifndef HOMING_POLICY_HPP
#define HOMING_POLICY_HPP

#include "homing.hpp"

#include <type_traits>

namespace homing {
inline namespace v0_1 {

// Whether a chain is believed; if not, why and what to do.
class judgement {
public:
    explicit judgement(homing_judgement *handle) noexcept : handle_(handle) {}

    bool believed() const noexcept { return reject() == 0; }
    std::int32_t reject() const noexcept { return homing_judgement_reject(get()); }
    std::int32_t cause() const noexcept { return homing_judgement_cause(get()); }
    std::int32_t failure_class() const noexcept { return homing_judgement_class(get()); }
    std::string_view text() const noexcept { return view(homing_judgement_text(get())); }
    std::string_view advice() const noexcept { return view(homing_judgement_advice(get())); }
    std::int32_t proof() const noexcept { return homing_judgement_proof(get()); }
    std::int32_t pin() const noexcept { return homing_judgement_pin(get()); }
    std::int64_t not_before_s() const noexcept { return homing_judgement_not_before_s(get()); }
    std::int64_t not_after_s() const noexcept { return homing_judgement_not_after_s(get()); }

    const homing_judgement *get() const noexcept { return handle_.get(); }

private:
    detail::owned<homing_judgement, homing_judgement_free> handle_;
};

// A certificate policy with everything it names. Times are the wall clock, in seconds since 1970.
class policy {
public:
    explicit policy(homing_policy *handle) noexcept : handle_(handle) {}

    static result<policy> prepare(const settings &settings, std::size_t index, std::int64_t time_s) {
        return made<policy>(homing_policy_prepare, settings.get(), index, time_s);
    }
    static result<policy> prepare_for_server(const settings &settings, std::size_t index, std::int64_t time_s) {
        return made<policy>(homing_policy_prepare_for_server, settings.get(), index, time_s);
    }
    static result<policy> parse(std::string_view json, std::int64_t time_s) {
        return made<policy>(homing_policy_parse, detail::bytes(json), json.size(), time_s);
    }

    std::vector<std::string_view> remarks() const {
        std::vector<std::string_view> texts(homing_policy_remark_count(get()));
        for (std::size_t index = 0; index < texts.size(); ++index)
            texts[index] = view(homing_policy_remark(get(), index));
        return texts;
    }

    // Each certificate is DER, the server's own first. The floor is the greatest not_before_s of earlier judgements.
    result<judgement> check(const std::vector<std::string_view> &chain, const std::string &name, std::int64_t time_s,
                            std::int64_t floor_s = 0) const {
        auto given = certificates(chain);
        return made<judgement>(homing_policy_check, get(), given.data(), given.size(), name.c_str(), time_s, floor_s);
    }
    // Whoever calls this and compares no name believes anybody with a certificate.
    result<judgement> check_chain(const std::vector<std::string_view> &chain, std::int64_t time_s,
                                  std::int64_t floor_s = 0) const {
        auto given = certificates(chain);
        return made<judgement>(homing_policy_check_chain, get(), given.data(), given.size(), time_s, floor_s);
    }

    const homing_policy *get() const noexcept { return handle_.get(); }

private:
    static std::vector<homing_certificate> certificates(const std::vector<std::string_view> &chain) {
        std::vector<homing_certificate> given;
        for (auto certificate : chain)
            given.push_back({detail::bytes(certificate), certificate.size()});
        return given;
    }
    template <typename T, typename Function, typename... Given>
    static result<T> made(Function function, Given... given) {
        using handle = std::remove_const_t<std::remove_pointer_t<decltype(std::declval<const T &>().get())>>;
        return detail::made<T, handle>([&](auto out, auto error) { return function(given..., out, error); });
    }

    detail::owned<homing_policy, homing_policy_free> handle_;
};

} // inline namespace v0_1
} // namespace homing

#endif // HOMING_POLICY_HPP
