// SPDX-License-Identifier: Apache-2.0
// A part of trine::compiled (cmake/trine-compiled.cmake): conversations and their templates.
#include <trine/generate/chat_session.inl>
#include <trine/text/chat/chat_template.inl>
