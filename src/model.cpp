// SPDX-License-Identifier: Apache-2.0
// A part of trine::compiled (cmake/trine-compiled.cmake): models, sequences of them, and who computes these.
#include <trine/generate/engine.inl>
#include <trine/generate/sequence.inl>
#include <trine/generate/session.inl>
#include <trine/generate/session_file.inl>
#include <trine/model/model.inl>
