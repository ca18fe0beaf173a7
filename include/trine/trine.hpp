// SPDX-License-Identifier: Apache-2.0
// Everything that a program needs to load a model, run it, and watch its routing.
// Include these explicitly: interop/eigen.hpp (Eigen), text/chat/chat_template.hpp, generate/chat_session.hpp.
#pragma once

#include <trine/generate/generate.hpp>
#include <trine/generate/reference_outputs.hpp>
#include <trine/generate/self_test.hpp>
#include <trine/generate/session.hpp>
#include <trine/model/model.hpp>
#include <trine/routing/router_decorators.hpp>
#include <trine/stats/routing_stats.hpp>
#include <trine/stats/routing_trace.hpp>
#include <trine/text/tokenizer/tokenizer.hpp>
#include <trine/version.hpp>
