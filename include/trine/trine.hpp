// SPDX-License-Identifier: Apache-2.0
// Everything that a program needs to run a model.
#pragma once

#include <trine/generate/session.hpp>
#include <trine/model/model.hpp>
#include <trine/routing/router_decorators.hpp>
