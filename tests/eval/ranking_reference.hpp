// Written by tests/reference/make_ranking_reference.py.
#pragma once

#include <array>

namespace ranking_reference {

/// From 0 to 3.
inline constexpr std::array<double, 24> grades = {2, 3, 0, 3, 1, 2, 2, 1, 3, 0, 1, 1,
                                                  2, 1, 0, 0, 0, 0, 0, 3, 0, 2, 3, 0};

/// All different.
inline constexpr std::array<double, 24> scores = {
    -0.95826520543608873,  1.6000190889991115,   0.2028824405086084,    -1.7321348424395848,
    -0.083696192817025811, -1.1632259734447485,  -0.6292880940615545,   -0.48800582327685743,
    -0.71331337163224362,  0.55337847035328946,  -0.063085971925289155, -0.58943125803260477,
    0.40963782655711695,   0.82985530706132393,  -1.643023371405677,    -0.25673012636549403,
    -0.98074735604401253,  -0.17315522486203205, -1.2894187467538587,   0.020690394037591198,
    -0.037885741044068229, -0.30433775095848897, -1.0479265051202462,   -0.39619033047309271};

/// The same, rounded.
inline constexpr std::array<double, 24> tied = {-1, 2, 0,  -2, -0, -1, -1, -0, -1, 1,  -0, -1,
                                                0,  1, -2, -0, -1, -0, -1, 0,  -0, -0, -1, -0};

/// From 0 to 2.
inline constexpr std::array<double, 24> queries = {0, 2, 0, 0, 0, 0, 0, 2, 1, 1, 0, 2,
                                                   2, 0, 0, 0, 0, 2, 1, 1, 0, 1, 2, 0};

inline constexpr double ndcg_of_scores = 0.79986595256525239;

inline constexpr double exponential_of_scores = 0.75693681968937054;

inline constexpr double ndcg_of_scores_at_5 = 0.50786786008026297;

inline constexpr double exponential_of_scores_at_5 = 0.43233039302542275;

inline constexpr double precision_of_scores_from_1 = 0.68956582633053221;

inline constexpr double precision_of_scores_from_3 = 0.38362745098039219;

inline constexpr double ndcg_of_tied = 0.78072202825391868;

inline constexpr double exponential_of_tied = 0.73918940768960528;

inline constexpr double ndcg_of_tied_at_5 = 0.48711018388248978;

inline constexpr double exponential_of_tied_at_5 = 0.42417306057521509;

inline constexpr double precision_of_tied_from_1 = 0.63589466089466085;

inline constexpr double precision_of_tied_from_3 = 0.34296536796536797;

/// The loss of scores three times as far apart, of 78 pairs.
inline constexpr double pairwise_loss = 1.8147474704710074;

/// Of that loss.
inline constexpr std::array<double, 24> pairwise_gradient = {
    -0.079433658358554635, -0.00045548212266449315, 0.069220414644237852,  -0.14282339359355048,
    0.022571433416059609,  -0.085906426826875298,   -0.066791986213367766, 0.0024121342459488635,
    -0.02438722677752863,  0.035115145624847306,    0.023519529975399908,  0.00089900538421057788,
    0.0096884439849697149, 0.047591803623069119,    0.011997102527276688,  0.055641201063003791,
    0.030869889964932295,  0.033110874201467244,    0.0028147620165336266, -0.014421473526680464,
    0.062543945842387746,  0.00087879266282816018,  -0.045654975693931905, 0.051000143935981214};

}  // namespace ranking_reference
