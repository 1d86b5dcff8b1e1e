// The plugin's two exports, outcomes and errors, context, telemetry.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

struct ts_outcome {
    enum { DONE, SKIPPED, FAILED } kind;
    const char *text;
};

// The error remembered last, and details for it.
static struct {
    bool retryable;
    const char *code, *message;
    uint32_t wait_ms;
} last = {false, "", "", 0};

#define MAX_EXTRA 16
static plugin_tuple2_string_string_t extra[MAX_EXTRA];
static size_t extra_count;

void *ts_grow(void *block, size_t size) {
    void *grown = realloc(block, size ? size : 1);
    if (!grown) {
        fprintf(stderr, "out of memory: %zu bytes were asked for\n", size);
        abort();
    }
    return grown;
}

void *ts_alloc(size_t size) { return memset(ts_grow(NULL, size), 0, size); }

const char *ts_string(const plugin_string_t *text) {
    char *copy = ts_alloc(text->len + 1);
    return text->len ? memcpy(copy, text->ptr, text->len) : copy;
}

static const char *format_text(const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    size_t size = length < 0 ? 1 : (size_t)length + 1;
    char *text = ts_alloc(size);
    vsnprintf(text, size, format, arguments);
    return text;
}

#define FORMAT(into)                              \
    const char *into;                             \
    do {                                          \
        va_list arguments;                        \
        va_start(arguments, format);              \
        into = format_text(format, arguments);    \
        va_end(arguments);                        \
    } while (0)

static const ts_outcome *outcome(int kind, const char *text) {
    ts_outcome *made = ts_alloc(sizeof *made);
    made->kind = kind;
    made->text = text;
    return made;
}

const ts_outcome *ts_done(const char *format, ...) {
    FORMAT(text);
    return outcome(DONE, text);
}

const ts_outcome *ts_skipped(const char *format, ...) {
    FORMAT(text);
    return outcome(SKIPPED, text);
}

const ts_outcome *ts_fatal(const char *code, const char *format, ...) {
    FORMAT(text);
    ts_fail(false, code, NULL, text);
    return ts_failed();
}

const ts_outcome *ts_retryable(const char *code, uint32_t wait_ms, const char *format, ...) {
    FORMAT(text);
    ts_fail(true, code, NULL, text);
    last.wait_ms = wait_ms;
    return ts_failed();
}

const ts_outcome *ts_failed(void) { return outcome(FAILED, ""); }

const char *ts_error_code(void) { return last.code; }

void ts_error_extra(const char *key, const char *value) {
    if (extra_count < MAX_EXTRA) extra[extra_count++] = (plugin_tuple2_string_string_t){ts_lend(key), ts_lend(value)};
}

bool ts_fail(bool retryable, const char *code, const char *what, const char *message) {
    if (what && *what) {
        size_t size = strlen(what) + strlen(message) + 3;
        char *whole = ts_alloc(size);
        snprintf(whole, size, "%s: %s", what, message);
        message = whole;
    }
    last.retryable = retryable;
    last.code = code;
    last.message = message;
    last.wait_ms = 0;
    return false;
}

bool ts_refused(ts_case refused, const char *what, const plugin_string_t *message) {
    return ts_fail(refused.retryable, refused.code, what, refused.text ? refused.text : ts_string(message));
}

// ---- What the component exports. What is returned belongs to the bindings, which free it: hence copies. ----

static plugin_string_t give(const char *text) {
    plugin_string_t given;
    plugin_string_dup(&given, text ? text : "");
    return given;
}

static size_t port_count(const ts_port *ports) {
    size_t count = 0;
    while (ports && ports[count].name) count++;
    return count;
}

static void give_ports(const ts_port *ports, exports_trackside_plugin_describe_list_artifact_port_t *given) {
    given->len = port_count(ports);
    given->ptr = ts_alloc(given->len * sizeof *given->ptr);
    for (size_t at = 0; at < given->len; at++) {
        exports_trackside_plugin_describe_artifact_port_t *port = &given->ptr[at];
        port->name = give(ports[at].name);
        port->description = give(ports[at].description);
        port->required = ports[at].required;
        port->many = ports[at].many;
        size_t types = 0;
        while (ports[at].media_types && ports[at].media_types[types]) types++;
        port->media_types.len = types;
        port->media_types.ptr = ts_alloc(types * sizeof *port->media_types.ptr);
        for (size_t type = 0; type < types; type++) port->media_types.ptr[type] = give(ports[at].media_types[type]);
    }
}

void exports_trackside_plugin_describe_describe(exports_trackside_plugin_describe_descriptor_t *given) {
    const ts_plugin *plugin = &ts_the_plugin;
    memset(given, 0, sizeof *given);
    given->name = give(plugin->name);
    given->version = give(plugin->version);
    given->summary = give(plugin->summary);
    given->docs_markdown = give(plugin->docs);
    given->input_schema = give(plugin->input_schema);
    given->output_schema = give(plugin->output_schema);
    give_ports(plugin->inputs, &given->inputs);
    give_ports(plugin->outputs, &given->outputs);
    size_t wants = 0;
    while (plugin->wants && plugin->wants[wants].kind) wants++;
    given->wants.len = wants;
    given->wants.ptr = ts_alloc(wants * sizeof *given->wants.ptr);
    for (size_t at = 0; at < wants; at++) {
        exports_trackside_plugin_describe_capability_t *want = &given->wants.ptr[at];
        want->kind = give(plugin->wants[at].kind);
        want->value = give(plugin->wants[at].value);
        want->reason = give(plugin->wants[at].reason);
        want->optional = plugin->wants[at].optional;
    }
    given->deterministic = plugin->deterministic;
}

bool exports_trackside_plugin_step_run(
    exports_trackside_plugin_step_outcome_t *done, exports_trackside_plugin_step_step_error_t *error) {
    plugin_string_t document;
    trackside_plugin_context_input_json(&document);
    const ts_json *input = ts_json_parse((ts_text){(const char *)document.ptr, document.len});
    const ts_outcome *ended = input ? ts_the_plugin.run(input) : ts_failed();
    if (!ended) {
        ts_fail(false, "bad-output", NULL, "`run` returned NULL instead of an outcome");
        ended = ts_failed();
    }
    if (ended->kind != FAILED) {
        done->tag = ended->kind == DONE ? EXPORTS_TRACKSIDE_PLUGIN_STEP_OUTCOME_DONE : EXPORTS_TRACKSIDE_PLUGIN_STEP_OUTCOME_SKIPPED;
        // `done` and `skipped` carry the same.
        done->val.done = give(ended->text);
        return true;
    }
    memset(error, 0, sizeof *error);
    error->kind = last.retryable ? TRACKSIDE_PLUGIN_COMMON_ERROR_KIND_RETRYABLE : TRACKSIDE_PLUGIN_COMMON_ERROR_KIND_FATAL;
    error->code = give(*last.code ? last.code : "failed");
    error->message = give(*last.message ? last.message : "the step failed without saying why");
    error->retry_after_ms.is_some = last.retryable && last.wait_ms > 0;
    error->retry_after_ms.val = last.wait_ms;
    error->extra.len = extra_count;
    error->extra.ptr = ts_alloc(extra_count * sizeof *error->extra.ptr);
    for (size_t at = 0; at < extra_count; at++) {
        error->extra.ptr[at].f0 = give(ts_string(&extra[at].f0));
        error->extra.ptr[at].f1 = give(ts_string(&extra[at].f1));
    }
    return false;
}

// ---- Context and telemetry ----

ts_info ts_context(void) {
    trackside_plugin_context_info_t info;
    trackside_plugin_context_get(&info);
    return (ts_info){
        .workflow = ts_string(&info.workflow),
        .run_id = ts_string(&info.run_id),
        .step = ts_string(&info.step),
        .idempotency_key = ts_string(&info.idempotency_key),
        .trigger_kind = ts_string(&info.trigger_kind),
        .attempt = info.attempt,
        .logical_time_ms = info.logical_time_unix_ms,
    };
}

uint64_t ts_remaining_ms(void) {
    uint64_t left;
    return trackside_plugin_context_remaining_ms(&left) ? left : UINT64_MAX;
}

bool ts_cancelled(void) { return trackside_plugin_context_cancelled(); }

static trackside_plugin_telemetry_attributes_t none;

void ts_log(ts_level level, const char *format, ...) {
    FORMAT(text);
    plugin_string_t line = ts_lend(text);
    trackside_plugin_telemetry_log((trackside_plugin_telemetry_level_t)level, &line, &none);
}

void ts_count(const char *name, double delta) {
    plugin_string_t lent = ts_lend(name);
    trackside_plugin_telemetry_counter_add(&lent, delta, &none);
}

void ts_gauge(const char *name, double value) {
    plugin_string_t lent = ts_lend(name);
    trackside_plugin_telemetry_gauge_set(&lent, value, &none);
}

void ts_histogram(const char *name, double value) {
    plugin_string_t lent = ts_lend(name);
    trackside_plugin_telemetry_histogram_record(&lent, value, &none);
}

void ts_progress(float fraction, const char *note) {
    plugin_string_t lent = ts_lend(note);
    trackside_plugin_telemetry_progress(fraction, &lent);
}
