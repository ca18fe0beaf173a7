// SPDX-License-Identifier: Apache-2.0
// The interface of a library that uses trine: nothing of trine is in it, so no exception of trine may leave it.
#pragma once

#define EXPORTED __attribute__((visibility("default")))

/// How many logits the model gives; throws std::runtime_error.
EXPORTED unsigned long logits_of_one_token(const char* model_directory);
