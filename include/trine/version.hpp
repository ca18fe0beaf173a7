// SPDX-License-Identifier: Apache-2.0
// The version of the library: semantic versioning, https://semver.org. CMake reads it from here.
#pragma once

#define TRINE_VERSION_MAJOR 0
#define TRINE_VERSION_MINOR 1
#define TRINE_VERSION_PATCH 0
#define TRINE_VERSION_STRING "0.1.0"
