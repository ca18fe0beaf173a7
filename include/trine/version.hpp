// SPDX-License-Identifier: Apache-2.0
// The version of the library: semantic versioning, https://semver.org. CMake reads it from here.
#pragma once

/// Raised by changes that programs notice; while it is 0, the minor version says so.
#define TRINE_VERSION_MAJOR 0
/// Raised by new features. A part of the inline namespace, as TRINE_VERSION_MAJOR is.
#define TRINE_VERSION_MINOR 1
/// Raised by corrections.
#define TRINE_VERSION_PATCH 0
/// All three as text.
#define TRINE_VERSION_STRING "0.1.0"
