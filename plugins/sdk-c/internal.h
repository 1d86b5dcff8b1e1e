// What the files of this SDK share; not for authors.
#ifndef TRACKSIDE_INTERNAL_H
#define TRACKSIDE_INTERNAL_H

#include <string.h>

#include "bindings/plugin.h"
#include "trackside.h"

// Memory, or a trap with a message: there is nothing sensible to do without it.
void *ts_alloc(size_t size);
void *ts_grow(void *block, size_t size);

// Text of the host, which is not terminated, as a C string.
const char *ts_string(const plugin_string_t *text);

// A C string as the host takes it. It is only read there, hence the cast.
static inline plugin_string_t ts_lend(const char *text) {
    return (plugin_string_t){(uint8_t *)(text ? text : ""), text ? strlen(text) : 0};
}

static inline plugin_list_u8_t ts_lend_bytes(const void *data, size_t length) {
    return (plugin_list_u8_t){(uint8_t *)data, length};
}

// Remembers an error and returns false.
bool ts_fail(bool retryable, const char *code, const char *what, const char *message);

// One case of an interface's error variant.
typedef struct {
    const char *code;
    bool retryable;
    const char *text; // where the case carries none
} ts_case;

// Remembers what the host refused. `message` is the case's own text; NULL where it has none.
bool ts_refused(ts_case refused, const char *what, const plugin_string_t *message);
bool ts_artifact_refused(const char *what, const trackside_plugin_artifacts_artifact_error_t *error);

// Takes over a handle of the host.
ts_artifact ts_take_artifact(trackside_plugin_artifacts_own_artifact_t own);
bool ts_flush(ts_writer *writer);

#endif
