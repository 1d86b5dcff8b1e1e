// State, outbox, secrets.
#include <inttypes.h>
#include <stdio.h>

#include "internal.h"

static const ts_case STATE_CASES[] = {
    {"denied", false, NULL},
    {"state-conflict", true, "the state changed meanwhile"},
    {"quota-exceeded", false, NULL},
    {"state-storage", true, NULL},
};
static const ts_case OUTBOX_CASES[] = {{"denied", false, NULL}, {"bad-request", false, NULL}, {"quota-exceeded", false, NULL}};
static const ts_case SECRET_CASES[] = {{"denied", false, NULL}, {"secret-unavailable", true, NULL}};

static bool state_refused(const trackside_plugin_state_state_error_t *error) {
    return ts_refused(STATE_CASES[error->tag], NULL, &error->val.denied);
}

static bool outbox_refused(const trackside_plugin_outbox_outbox_error_t *error) {
    return ts_refused(OUTBOX_CASES[error->tag], NULL, &error->val.denied);
}

static bool entry_of(ts_scope scope, const char *key, trackside_plugin_state_option_entry_t *entry) {
    plugin_string_t lent = ts_lend(key);
    trackside_plugin_state_state_error_t error;
    return trackside_plugin_state_get((trackside_plugin_state_scope_t)scope, &lent, entry, &error) || state_refused(&error);
}

bool ts_state_get(ts_scope scope, const char *key, ts_text *value) {
    trackside_plugin_state_option_entry_t entry;
    if (!entry_of(scope, key, &entry)) return false;
    *value = entry.is_some ? (ts_text){(const char *)entry.val.value.ptr, entry.val.value.len} : (ts_text){NULL, 0};
    return true;
}

bool ts_state_granted(ts_scope scope) {
    ts_text value;
    return ts_state_get(scope, "", &value) || strcmp(ts_error_code(), "denied") != 0;
}

bool ts_state_set(ts_scope scope, const char *key, ts_text value) {
    plugin_string_t lent = ts_lend(key);
    plugin_list_u8_t bytes = ts_lend_bytes(value.data, value.length);
    trackside_plugin_state_state_error_t error;
    return trackside_plugin_state_set((trackside_plugin_state_scope_t)scope, &lent, &bytes, NULL, &error) || state_refused(&error);
}

bool ts_state_remove(ts_scope scope, const char *key) {
    plugin_string_t lent = ts_lend(key);
    trackside_plugin_state_state_error_t error;
    return trackside_plugin_state_delete((trackside_plugin_state_scope_t)scope, &lent, &error) || state_refused(&error);
}

bool ts_state_add(ts_scope scope, const char *key, int64_t delta, int64_t *sum) {
    trackside_plugin_state_option_entry_t entry;
    if (!entry_of(scope, key, &entry)) return false;
    int64_t before = 0;
    if (entry.is_some) {
        // The text of the number, terminated for sscanf.
        char text[32] = "";
        size_t length = entry.val.value.len;
        int read = 0;
        if (length < sizeof text) memcpy(text, entry.val.value.ptr, length);
        if (sscanf(text, "%" SCNd64 "%n", &before, &read) != 1 || (size_t)read != length) {
            return ts_fail(false, "bad-state", key, "the stored value is no whole number");
        }
    }
    if (__builtin_add_overflow(before, delta, sum)) return ts_fail(false, "bad-state", key, "the sum is too large");
    char text[32];
    int length = snprintf(text, sizeof text, "%" PRId64, *sum);
    plugin_string_t lent = ts_lend(key);
    plugin_list_u8_t bytes = ts_lend_bytes(text, (size_t)length);
    uint64_t version = entry.val.version, now;
    trackside_plugin_state_state_error_t error;
    return trackside_plugin_state_compare_and_set(
               (trackside_plugin_state_scope_t)scope, &lent, entry.is_some ? &version : NULL, &bytes, &now, &error) ||
           state_refused(&error);
}

bool ts_deliver(const ts_artifact *artifact, const char *path, ts_if_present present) {
    plugin_string_t lent = ts_lend(path);
    trackside_plugin_outbox_outbox_error_t error;
    trackside_plugin_outbox_borrow_artifact_t borrow = {artifact->handle};
    return trackside_plugin_outbox_deliver(borrow, &lent, (trackside_plugin_outbox_if_present_t)present, &error) || outbox_refused(&error);
}

bool ts_publish(const char *channel, const char *topic, ts_text payload) {
    plugin_string_t lent_channel = ts_lend(channel), lent_topic = ts_lend(topic);
    plugin_list_u8_t bytes = ts_lend_bytes(payload.data, payload.length);
    trackside_plugin_outbox_attributes_t none = {NULL, 0};
    trackside_plugin_outbox_outbox_error_t error;
    return trackside_plugin_outbox_publish(&lent_channel, &lent_topic, &bytes, &none, &error) || outbox_refused(&error);
}

bool ts_emit(const char *event, const char *data_json) {
    plugin_string_t lent_event = ts_lend(event), lent_data = ts_lend(data_json);
    trackside_plugin_outbox_outbox_error_t error;
    return trackside_plugin_outbox_emit(&lent_event, &lent_data, &error) || outbox_refused(&error);
}

bool ts_secret(const char *name, const char **placeholder) {
    plugin_string_t lent = ts_lend(name), token;
    trackside_plugin_secrets_own_secret_t own;
    trackside_plugin_secrets_secret_error_t error;
    if (!trackside_plugin_secrets_static_secret_open(&lent, &own, &error)) {
        return ts_refused(SECRET_CASES[error.tag], name, &error.val.denied);
    }
    trackside_plugin_secrets_method_secret_placeholder(trackside_plugin_secrets_borrow_secret(own), &token);
    *placeholder = ts_string(&token);
    return true;
}
